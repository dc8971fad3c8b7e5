"""Figure 10 of the Noise2Void paper: networks of one session on movies of another."""

from stemjax.metrics import bootstrap
from stemjax.tables.n2v import CHANNELS, SOURCE, estimate, printed
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table

OLD, FINE_TUNED = "Trained on session a", "Fine-tuned on half of b"
HALF, FRESH = "Fresh on half of b", "Fresh on all of b"
ROWS = ("Noisy", "Constant", OLD, FINE_TUNED, HALF, FRESH)


def n2v_figure_10(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """One grid per noise level: every network on the test movies of session b, beside the one that saw all of b."""
    levels = sorted({record["conditions"]["input_psnr_db"] for record in found})
    parts = {level: gather([r for r in found if r["conditions"]["input_psnr_db"] == level], scores) for level in levels}
    data = tuple(
        {"input_psnr_db": level, "method": name} | _figures(rows[name], rows[FRESH])
        for level, rows in parts.items()
        for name in ROWS
    )
    grids = [_grid(level, [figures for figures in data if figures["input_psnr_db"] == level]) for level in levels]
    first = parts[levels[0]][FRESH]
    movies, record = len(set(first.units)), first.records[0]
    few = movies < bootstrap.FEWEST_UNITS
    caption = (
        f"Data set {record['data_set']['name']}, recipe {record['data_set']['recipe_hash']}; {len(first.units)} frames "
        f"of {movies} test movies of session b, which no network saw. Scores by protocol `{record['protocol']}`: each "
        "channel by itself, unclamped, its data range the maximum minus the minimum of the clean frame. Means over "
        "movies" + ("; fewer than 10 movies: no intervals." if few else " with 95 % intervals; differences are paired.")
    )
    crops = record["learning_curve"][-1]["crops"]
    notes = (
        f"{OLD}: as it is. The others saw {crops:,} crops of session b each, the fine-tuned one beginning with the "
        f"weights of the first, which had seen {crops:,} of session a.",
        "Fresh networks and the fine-tuned one are those of the least loss on frames of b between the ones they learnt "
        "from; the first, of the least loss on validation movies of a.",
        "The paper, by profiles in recordings: the old network serves a new recording, retraining is not required.",
    )
    title = f"Figure 10 of {SOURCE}, regenerated at size {found[0]['size']}"
    return Table(title, caption, tuple(grids), notes, data)


def _figures(row: Row, reference: Row) -> dict:
    """Scores of both channels, and how far they are above those of the reference [dB]."""
    figures = {}
    for channel in CHANNELS:
        psnr, all_of_b = (r.scores[f"{channel}_psnr_db"] for r in (row, reference))
        found = {"psnr_db": estimate(psnr, row.units)}
        if row is not reference:
            found["above_db"] = estimate(psnr - all_of_b, row.units)
        for name, values in found.items():
            ends = zip(("", "_low", "_high"), values, strict=True)
            figures |= {f"{channel}_{name}{end}": "" if v is None else round(v, 6) for end, v in ends}
        figures[f"{channel}_ssim"] = round(row.mean(f"{channel}_ssim"), 6)
    return figures | {"movies": len(set(row.units)), "records": " ".join(r["id"][:16] for r in row.records)}


def _grid(level: float, data: list[dict]) -> Grid:
    lines = []
    for figures in data:
        cells = [figures["method"]]
        for channel in CHANNELS:
            cells += [printed(figures, f"{channel}_psnr_db", ".2f"), printed(figures, f"{channel}_above_db", "+.2f")]
            cells.append(f"{figures[f'{channel}_ssim']:.3f}")
        lines.append(tuple(cells))
    names = ("PSNR [dB]", f"above {FRESH[0].lower()}{FRESH[1:]} [dB]", "SSIM")
    columns = (f"Noise of {level:g} dB", *(f"{c.upper()} {name}" for c in CHANNELS for name in names))
    return Grid(columns, tuple(lines))
