"""Noise2Void for STEM: the ablations of its architecture and of its mask, at an input PSNR of 7 dB.

    stemjax experiment run n2v_ablation --size cpu

Every network differs from the standard one of the size in one thing and sees the same crops in the same order. Frames
of movies that no training saw, with noise of their own. The paper gives no figures for its ablations, only an order:
depth 4 best of 2 to 4, average pooling better than max pooling, a first block of 5 x 5 better than 3 x 3, and worse
without the outer skip, with Xception blocks or with ASPP. One seed, so the spread between trainings is not known.

Reference: Thornley et al., "Noise2Void for Denoising Atomic Resolution Scanning Transmission Electron Microscopy
Images", section 2.1.2.
"""

from collections.abc import Iterator
from dataclasses import replace

from experiments import n2v
from experiments.movie_methods import Trained
from experiments.n2v import CHANNELS, SOURCE
from experiments.n2v.methods import record_bars
from experiments.n2v.notes import ONE_SEED, ablation_caption, few_movies, signed
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import figures
from stemjax.apply.evaluate import denoise_movies
from stemjax.denoisers.noise2void import FILLS, Noise2Void
from stemjax.metrics import bootstrap
from stemjax.models import presets
from stemjax.tables import wording
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table

TIMES = {"smoke": "1 min", "cpu": "50 min on 2 cores, 12 trainings", "gpu": "not measured"}
PSNR_DB = 7.0
DEPTHS = (2, 3, 4)
MASKS = ((4, 0), (24, 2))  # pitch and jitter [px]: a dense one, and the paper's
# The coarsest scale of a training crop has 8 x 8 pixels at size `cpu` and 32 x 32 at the paper's.
SMOKE = ("standard", "pooling", "pyramid", "mask")  # parts that size smoke changes; it takes seconds for each
DILATIONS = {"smoke": (1, 2), "cpu": (2, 4, 6), "gpu": (6, 12, 18)}


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record the standard network and every variant."""
    data, imaging = workspace.au_graphene(size), n2v.imaging_of(PSNR_DB)
    test = n2v.unseen(data, size, imaging)
    rows = Recorder(size, workspace, data, test)
    record_bars(rows)
    for part, method, learnt in networks(size, workspace):
        denoised = denoise_movies(learnt.run.denoiser, learnt.variables, test)
        conditions = {"part": part, "crop_px": learnt.run.crops.size}
        rows.add_trained(
            method, learnt.run, learnt.variables, learnt.info, learnt.outcome, denoised=denoised, conditions=conditions
        )


def networks(size: str, workspace: Workspace) -> Iterator[tuple[str, str, Trained]]:
    """Every variant of a size, trained if it is not yet: (part that differs, method, network)."""
    data = workspace.au_graphene(size)
    for part, method, denoiser in variants(size):
        if size != "smoke" or part in SMOKE:
            imaging = n2v.imaging_of(PSNR_DB)
            yield part, method, n2v.trained(size, workspace, data, imaging, method, denoiser)


def variants(size: str) -> Iterator[tuple[str, str, Noise2Void]]:
    """The standard network and what differs from it in one thing: (part that differs, method, denoiser)."""
    standard = presets.find_preset("noise2void").at(size)
    yield "standard", "Standard", standard
    for depth in DEPTHS:
        if depth != standard.network.depth:
            yield "depth", f"Depth {depth}", _changed(standard, depth=depth)
    yield "pooling", "Max pooling", _changed(standard, pooling="max")
    yield "first block", "First block 3 x 3", _changed(standard, first_kernel=3)
    yield "skip", "No outer skip", _changed(standard, outer_skip=False)
    yield "blocks", "Xception blocks", _changed(standard, xception=True)
    yield "pyramid", "ASPP", _changed(standard, aspp=DILATIONS[size])
    yield "upsampling", "Transposed convolutions", _changed(standard, upsampling="transposed")
    for fill in FILLS:
        if fill != standard.fill:
            yield "fill", f"Fill: {fill}", replace(standard, fill=fill)
    for pitch, jitter in MASKS:
        if (pitch, jitter) != (standard.pitch, standard.jitter):
            yield "mask", f"Mask: pitch {pitch} + {jitter}", replace(standard, pitch=pitch, jitter=jitter)


def _changed(denoiser: Noise2Void, **changes) -> Noise2Void:
    return replace(denoiser, network=denoiser.network.clone(**changes))


# ---------------------------------------------------------------------------------------------------- the table
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


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Every variant against the standard network of the size, with the paper's order beside it."""
    rows = gather(records, scores)
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
        notes.append(
            f"Fields of view above the {crop} px of the crops cannot show their worth here: a crop holds no more."
        )
    return Table(
        f"Ablations of {SOURCE}, section 2.1.2, at size {records[0]['size']}",
        ablation_caption(records),
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
    claim = PAPER_ORDER.get(row.method, "nothing") if is_variant else ""
    return figures_of | {"paper": claim, "records": wording.record_ids(row.records)}


def _printed_variant(line: dict) -> tuple[str, ...]:
    cells = [line["network"], wording.count(line["parameters"]), str(line["field_of_view_px"])]
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


def _has_intervals(data: tuple[dict, ...]) -> bool:
    return any(line["adf_low_db"] != "" for line in data)
