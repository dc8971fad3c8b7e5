"""Figures 3.1, 5.1 and 5.9 of the SBD paper: networks under conditions other than those of their training."""

import numpy as np

from stemjax import figures
from stemjax.metrics import bootstrap
from stemjax.tables.rows import Row, gather
from stemjax.tables.sbd import PUBLISHED
from stemjax.tables.table import Grid, Table

SOURCE = PUBLISHED["citation"].partition(",")[0]


def _parts(found: list[dict], scores: dict, *names: str) -> dict[tuple, dict[str, Row]]:
    """Rows of the records that agree in some of their conditions."""
    parts: dict[tuple, list[dict]] = {}
    for record in found:
        parts.setdefault(tuple(record["conditions"].get(name) for name in names), []).append(record)
    return {key: gather(part, scores) for key, part in parts.items()}


def _estimate(row: Row) -> tuple[float, float | None, float | None]:
    """PSNR [dB] and the ends of its interval; without ends where there are too few structures."""
    return bootstrap.interval(row.scores["psnr_db"], row.units) or (row.mean("psnr_db"), None, None)


def _printed(row: Row) -> str:
    mean, low, high = _estimate(row)
    return f"{mean:.2f}" + (f" [{low:.2f}, {high:.2f}]" if low is not None else "")


def _caption(found: list[dict]) -> str:
    data, imaging = found[0]["data_set"], found[0]["imaging"]
    return (
        f"Data set {data['name']}, recipe {data['recipe_hash']}; images of the {found[0]['split']} split, of "
        f"structures that no training saw; {imaging['counts']:g} electrons per pixel of vacuum. PSNR in dB, mean over "
        "structures."
    )


# ---------------------------------------------------------------------------------------------------- Figure 5.1
def sbd_figure_5_1(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """The three matrices: trained on (rows), tested on (columns)."""
    parts = _parts(found, scores, "matrix", "tested_on")
    values: dict[str, dict[tuple[str, str], float]] = {}
    data = []
    for (matrix, tested_on), rows in parts.items():
        for row in rows.values():
            trained_on = row.records[0]["conditions"]["trained_on"]
            published = _published_cell(matrix, trained_on, tested_on)
            values.setdefault(matrix, {})[trained_on, tested_on] = row.mean("psnr_db")
            data.append(
                {
                    "matrix": matrix,
                    "trained_on": trained_on,
                    "tested_on": tested_on,
                    "training_images": row.records[0]["conditions"]["images"],
                    "psnr_db": round(row.mean("psnr_db"), 6),
                    "ssim": round(row.mean("ssim"), 6),
                    "structures": len(set(row.units)),
                    "published_psnr_db": published,
                    "difference_db": "" if published == "" else round(row.mean("psnr_db") - published, 6),
                    "records": " ".join(record["id"][:16] for record in row.records),
                }
            )
    grids, arrays = [], {}
    for matrix, cells in values.items():
        kinds = list(dict.fromkeys(trained_on for trained_on, _ in cells))
        array = np.array([[cells.get((one, other), np.nan) for other in kinds] for one in kinds])
        arrays[matrix] = (array, kinds, kinds)
        images = next(row["training_images"] for row in data if row["matrix"] == matrix)
        heading = f"{matrix} ({images} training images each): trained on"
        lines = []
        for kind, line in zip(kinds, array, strict=True):
            cells = [_with_published(value, matrix, kind, other) for value, other in zip(line, kinds, strict=True)]
            lines.append((kind, *cells))
        grids.append(Grid((heading, *(f"tested on {kind}" for kind in kinds)), tuple(lines)))
    notes = (
        f"{_training(found)} As in the paper, none is fine-tuned from a network trained on more: that one would have "
        "seen every kind, and what the matrix measures would blur.",
        "In parentheses: the PSNR in the result file of the authors' repository, of other images, and ours minus it. "
        "Its files for Dh and Ds are one.",
        "Particles and defects are compared at white contrast. Few test structures: no intervals.",
    )
    plots = {"matrices": lambda: figures.matrices(arrays)}
    title = f"Figure 5.1 of {SOURCE}, regenerated at size {found[0]['size']}"
    return Table(title, _caption(found), tuple(grids), notes, tuple(data), plots)


def _training(found: list[dict]) -> str:
    """How the networks of the matrices came about, in a sentence."""
    ends = [record["learning_curve"][-1] for record in found]
    steps, crops = ({end[name] for end in ends} for name in ("step", "crops"))
    amounts = [f"{min(n):,}" if len(n) == 1 else f"{min(n):,} to {max(n):,}" for n in (steps, crops)]
    seeds = len({record["seed"] for record in found})
    return (
        "Every network is trained from scratch on its own subset, and those of a matrix hold equally many images: "
        f"{amounts[0]} steps, {amounts[1]} crops, {seeds} seed{'s' * (seeds > 1)}."
    )


def _published_cell(matrix: str, trained_on: str, tested_on: str):
    return PUBLISHED["figure_5_1_repository"][matrix].get(trained_on, {}).get(tested_on, "")


def _with_published(value: float, matrix: str, trained_on: str, tested_on: str) -> str:
    published = _published_cell(matrix, trained_on, tested_on)
    return f"{value:.2f}" + (f" ({published:.2f}, {value - published:+.2f})" if published != "" else "")


# ---------------------------------------------------------------------------------------------------- Figure 3.1
def sbd_figure_3_1(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """PSNR at every pixel size and orientation, with a plot of each."""
    sweeps = {
        "pixel size": ("relative_pixel_size", "Pixel size, relative to the usual one", (0.957, 1.046)),
        "orientation": ("orientation_deg", "Orientation [degrees]", (0.0, 45.0)),
    }
    grids, data, plots = [], [], {}
    for sweep, (name, label, inside) in sweeps.items():
        parts = _parts([r for r in found if r["conditions"]["sweep"] == sweep], scores, name)
        values = sorted(value for (value,) in parts)
        methods = list(next(iter(parts.values())))
        lines = []
        for value in values:
            place = f"{value:g}" + " (inside)" * (inside[0] <= value <= inside[1])
            lines.append((place, *(_printed(parts[value,][method]) for method in methods)))
        grids.append(Grid((label, *methods), tuple(lines)))
        series = {}
        for method in methods:
            estimates = [_estimate(parts[value,][method]) for value in values]
            means, low, high = zip(*estimates, strict=True)
            series[method] = figures.Line(values, means, *((low, high) if None not in low else (None, None)))
            data += [
                {"sweep": sweep, name: value, "method": method, "psnr_db": round(mean, 6)}
                for value, mean in zip(values, means, strict=True)
            ]
        plots[sweep.replace(" ", "_")] = lambda series=series, label=label, inside=inside: figures.lines(
            series, label, "PSNR [dB]", inside=inside
        )
    notes = (
        "Inside: pixel sizes and orientations that the training covered. One seed; intervals over structures.",
        "Images are sampled bilinearly from a rendering of 1,024 px, as the training's crops are.",
    )
    title = f"Figure 3.1 of {SOURCE}, regenerated at size {found[0]['size']}"
    return Table(title, _caption(found), tuple(grids), notes, tuple(data), plots)


# ---------------------------------------------------------------------------------------------------- Figure 5.9
def sbd_figure_5_9(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Each network trained on all white images and on the target conditions, tested on both."""
    parts = _parts(found, scores, "tested_on")
    tested = [name for (name,) in parts]
    first = next(iter(parts.values()))
    lines, data = [], []
    for method, row in first.items():
        conditions = row.records[0]["conditions"]
        cells = [parts[name,][method] for name in tested]
        lines.append((method, str(conditions["training_images"]), *(_printed(cell) for cell in cells)))
        figures_of = {f"psnr_db on {name}": round(c.mean("psnr_db"), 6) for name, c in zip(tested, cells, strict=True)}
        data.append({"method": method, "training_images": conditions["training_images"]} | figures_of)
    units = {name: next(iter(rows.values())).units for (name,), rows in parts.items()}
    columns = ("Network", "Training images", *(f"PSNR [dB] on {name}" for name in tested))
    counts = "; ".join(f"{name}: {len(u)} images of {len(set(u))} structures" for name, u in units.items())
    notes = (
        f"Tested on {counts}. One seed; both trainings see the same number of crops, with the batch size and learning "
        "rate that were tuned on all white images.",
        "Fewer than 10 structures: no interval.",
    )
    title = f"Figure 5.9 (b, c) of {SOURCE}, regenerated at size {found[0]['size']}"
    return Table(title, _caption(found), (Grid(columns, tuple(lines)),), notes, tuple(data))
