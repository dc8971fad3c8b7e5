"""Noise2Void for STEM: ablations of network and mask, and one network for both channels against one for each."""

from stemjax import figures
from stemjax.metrics import bootstrap
from stemjax.tables.n2v import PUBLISHED, SOURCE
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table

CHANNELS = {"adf": "ADF", "bf": "BF"}
CONTRACT = (
    "PSNR in dB and SSIM per frame and channel, data_range = maximum - minimum of the clean channel, nothing clamped; "
    "means over movies."
)
ONE_SEED = "One seed: it does not show the spread of trainings, which can exceed the intervals over movies."
SPEED = PUBLISHED["speed_ms_per_frame_512_a5000"]
# Of a network that knows no more than the mean of a movie: its frames are divided by 4 standard deviations.
CONSTANT_LOSS = len(CHANNELS) / 16
# What the paper says of each part, without a figure (section 2.1.2): the variant against the paper's network.
PAPER_ORDER = {
    "Depth 4": "best of 2 to 4",
    "Depth 3": "worse than 4",
    "Depth 2": "worse than 4",
    "Max pooling": "worse",
    "First block 3 x 3": "worse",
    "No outer skip": "worse",
    "Xception blocks": "worse",
    "ASPP": "worse",
    "Transposed convolutions": "replaced, for chequerboards",
    "Mask: pitch 24 + 2": "the paper's",
}


# ---------------------------------------------------------------------------------------------------- ablation
def n2v_ablation(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Every variant against the standard network of the size, with the paper's order beside it."""
    rows = gather(found, scores)
    standard = rows["Standard"]
    order = _in_order(rows)
    data = tuple(_variant(row, standard) for row in order)
    columns = ["Network", "Parameters", "Field of view [px]"]
    for label in CHANNELS.values():
        columns += [f"{label} PSNR [dB]", f"{label}: difference to the standard [dB]"]
    grid = Grid((*columns, "The paper says"), tuple(_printed_variant(line) for line in data))
    crop = standard.records[0]["conditions"]["crop_px"]
    notes = [
        "Every network differs from the standard one in one thing; all see the same "
        f"{standard.records[0]['learning_curve'][-1]['crops']:,} crops of {crop} px in the same order.",
        f"The standard network: {_described(standard.records[0]['denoiser'])}.",
        "In brackets: 95 % interval over movies, of paired differences."
        if _has_intervals(data)
        else few_movies(standard),
        ONE_SEED,
        "The paper gives no figures, only an order; its network has depth 4, average pooling, a first block of 5 x 5 "
        "and resizing before the convolution, and fills with the mean.",
    ]
    if any(line["field_of_view_px"] != "" and line["field_of_view_px"] > crop for line in data):
        notes.append(f"Fields of view above the {crop} px of the crops cannot show what they are worth here.")
    return Table(
        f"Ablations of {SOURCE}, section 2.1.2, at size {found[0]['size']}",
        _caption(found),
        (grid,),
        tuple(notes),
        data,
        {"differences": lambda: _draw_differences(data)},
    )


def _in_order(rows: dict[str, Row]) -> list[Row]:
    """The noisy frames and the constant, the standard network, and the variants in the order of the paper's section."""
    first = ["Noisy", "Constant", "Standard"]
    known = [name for name in PAPER_ORDER if name in rows]
    rest = sorted(set(rows) - set(first) - set(known))
    return [rows[name] for name in first + known + rest if name in rows]


def _variant(row: Row, standard: Row) -> dict:
    """The figures of one row by name, an empty text where there is none."""
    record = row.records[0]
    is_variant = record["run"] is not None and row is not standard
    figures_of = {
        "network": row.method,
        "parameters": record["parameters"] or "",
        "field_of_view_px": record["field_of_view"] or "",
    }
    for channel in CHANNELS:
        name = f"{channel}_psnr_db"
        figures_of[name] = round(row.mean(name), 6)
        difference = low = high = ""
        if is_variant:
            difference = round(row.mean(name) - standard.mean(name), 6)
            estimate = bootstrap.difference(row.scores[name], standard.scores[name], row.units)
            low, high = (round(end, 6) for end in estimate[1:]) if estimate else ("", "")
        figures_of |= {f"{channel}_difference_db": difference, f"{channel}_low_db": low, f"{channel}_high_db": high}
    said = PAPER_ORDER.get(row.method, "nothing") if is_variant else ""
    return figures_of | {"paper": said, "records": " ".join(record["id"][:16] for record in row.records)}


def _printed_variant(line: dict) -> tuple[str, ...]:
    cells = [line["network"], f"{line['parameters']:,}" if line["parameters"] else "", str(line["field_of_view_px"])]
    for channel in CHANNELS:
        cells.append(f"{line[f'{channel}_psnr_db']:.2f}")
        cells.append(signed(*(line[f"{channel}_{part}_db"] for part in ("difference", "low", "high"))))
    return (*cells, line["paper"])


def _described(denoiser: dict) -> str:
    """The standard network in words, with the fields that the record's configuration leaves at their defaults."""
    network = denoiser["network"]
    pitch, jitter = denoiser.get("pitch", 24), denoiser.get("jitter", 2)
    window = denoiser.get("window", 22)
    return (
        f"depth {network.get('depth', 4)}, {network.get('width', 64)} features, average pooling, a first block of "
        f"5 x 5, outer skip, resizing; fills with the mean of {window} x {window} px; "
        f"one pixel in {(pitch + jitter) ** 2:,} masked (pitch {pitch} + {jitter}, random offset)"
    )


def _draw_differences(data: tuple[dict, ...]) -> bytes:
    variants = [line for line in data if line["adf_difference_db"] != ""]
    names = [line["network"] for line in variants]
    series = {}
    for channel, label in CHANNELS.items():
        values, low, high = (
            [line[f"{channel}_{part}_db"] for line in variants] for part in ("difference", "low", "high")
        )
        series[label] = figures.Line(range(len(names)), values, *((low, high) if "" not in low else (None, None)))
    return figures.differences(series, names, "PSNR - PSNR of the standard network [dB]")


# ---------------------------------------------------------------------------------------------------- Figure S4
def n2v_figure_s4(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """The dual network against the pair of single ones: parameters, quality, and the loss of their trainings."""
    parts: dict[str, list[dict]] = {}
    for record in found:
        parts.setdefault(record["conditions"]["channels"], []).append(record)
    together = gather(parts.pop(" + ".join(CHANNELS)), scores)
    single = {channel: next(iter(gather(parts[channel], scores).values())) for channel in CHANNELS}
    dual = together["Dual network"]
    data = [
        _of_channels(name, {channel: (row, f"{channel}_") for channel in CHANNELS}) for name, row in together.items()
    ]
    data.append(_of_channels("Two single networks", {channel: (row, "") for channel, row in single.items()}))
    compared = []
    for channel, row in single.items():
        estimate = bootstrap.difference(dual.scores[f"{channel}_psnr_db"], row.scores["psnr_db"], row.units)
        mean, *ends = estimate or (dual.mean(f"{channel}_psnr_db") - row.mean("psnr_db"), "", "")
        compared.append({"channel": channel, "dual_minus_single_db": mean, "low_db": ends[0], "high_db": ends[1]})
    columns = ("Network", "Parameters", *(f"{c} {s}" for c in CHANNELS.values() for s in ("PSNR [dB]", "SSIM")))
    grids = (
        Grid((*columns, "Validation loss"), tuple(_printed_pair(line) for line in data)),
        Grid(
            ("Channel", "Dual - single [dB]"),
            tuple((CHANNELS[line["channel"]], signed(*list(line.values())[1:])) for line in compared),
        ),
    )
    notes = (
        f"{dual.records[0]['learning_curve'][-1]['crops']:,} crops for every network: the same places of the same "
        "frames, with the same noise and mask.",
        "Validation loss: lowest of the training, squared error at masked pixels of noisy validation frames, in units "
        "of the normalised movie, added over channels. Most of it is noise that nothing can predict: "
        f"a constant has {CONSTANT_LOSS:g}.",
        "In brackets: 95 % interval over movies, of paired differences."
        if compared[0]["low_db"] != ""
        else few_movies(dual),
        ONE_SEED,
        "The paper, in its Figure S4: the single network of BF has not converged; the dual network takes "
        f"{SPEED['n2v_dual']} ms a frame, two single ones {SPEED['n2v_two_mono']} ms. How long trainings and inference "
        "take here is measured in benchmarks alone.",
    )
    plots = {
        "loss": lambda: _draw_curves(dual, single, "validation_loss", "Validation loss, both channels"),
        "psnr": lambda: _draw_curves(dual, single, "validation_psnr_db", "Validation PSNR, mean of both channels [dB]"),
    }
    title = f"Figure S4 of {SOURCE}, regenerated at size {found[0]['size']}"
    return Table(title, _caption(found), grids, notes, tuple(data), plots)


def _of_channels(name: str, sources: dict[str, tuple[Row, str]]) -> dict:
    """Figures of one line; each channel's from a row, whose names of scores begin with a prefix."""
    distinct = {row.method: row.records[0] for row, _ in sources.values()}.values()
    figures_of = {"network": name, "parameters": sum(record["parameters"] for record in distinct)}
    for channel, (row, prefix) in sources.items():
        for score in ("psnr_db", "ssim"):
            figures_of[f"{channel}_{score}"] = round(row.mean(prefix + score), 6)
    curves = [record["learning_curve"] for record in distinct]
    lowest = [min(point["validation_loss"] for point in curve) for curve in curves if curve]
    figures_of["validation_loss"] = round(sum(lowest), 6) if lowest else ""
    return figures_of | {"records": " ".join(record["id"][:16] for record in distinct)}


def _printed_pair(line: dict) -> tuple[str, ...]:
    loss = line["validation_loss"]
    cells = [line["network"], f"{line['parameters']:,}" if line["parameters"] else ""]
    cells += [
        f"{line[f'{channel}_{score}']:.{n}f}" for channel in CHANNELS for score, n in (("psnr_db", 2), ("ssim", 3))
    ]
    return (*cells, f"{loss:.4f}" if loss != "" else "")


def _draw_curves(dual: Row, single: dict[str, Row], name: str, label: str) -> bytes:
    """A quantity of the validations over the crops seen: the dual network's, and the two others' sum or mean."""
    curves = [row.records[0]["learning_curve"] for row in (dual, *single.values())]
    crops = [point["crops"] for point in curves[0]]
    values = [[point[name] for point in curve] for curve in curves]
    weight = 1.0 if name == "validation_loss" else 1 / len(single)
    pair = [weight * sum(points) for points in zip(*values[1:], strict=True)]
    series = {"Dual network": figures.Line(crops, values[0]), "Two single networks": figures.Line(crops, pair)}
    level = ("a constant", CONSTANT_LOSS) if name == "validation_loss" else None
    return figures.lines(series, "Crops seen", label, level=level)


# ---------------------------------------------------------------------------------------------------- parts
def _caption(found: list[dict]) -> str:
    data, noise = found[0]["data_set"], found[0]["imaging"]["noise"]
    return (
        f"Data set {data['name']}, recipe {data['recipe_hash']}; {found[0]['images']} frames of "
        f"{len(found[0]['units'])} movies of the {found[0]['split']} split, which no training saw, with Gaussian noise "
        f"at a PSNR of {noise['psnr_db']:g} dB. {CONTRACT}"
    )


def signed(mean, low, high) -> str:
    """A difference [dB] with its interval, if there is one; an empty text for none."""
    if mean == "":
        return ""
    return f"{mean:+.2f}" + (f" [{low:+.2f}, {high:+.2f}]" if low != "" else "")


def _has_intervals(data: tuple[dict, ...]) -> bool:
    return any(line["adf_low_db"] != "" for line in data)


def few_movies(row: Row) -> str:
    return f"{len(set(row.units))} movies: too few for intervals."
