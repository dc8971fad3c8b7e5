"""Tables of networks trained alike: ablations, and Table 3.1 of the SBD paper."""

from stemjax.figures import groups as figures_groups
from stemjax.metrics import bootstrap
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table


def ablation(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """The networks of one ablation by field of view and parameters, with the plot of PSNR against field of view."""
    rows = by_field_of_view(gather(found, scores))
    data = tuple(figures_of(row) for row in rows)
    columns = ("Network", "Parameters", "Field of view [px]", "PSNR [dB], 95 % interval", "SSIM", "Seeds: PSNR [dB]")
    grid = Grid(columns, tuple(printed(figures) for figures in data))
    return Table(
        f"Ablation at size {found[0]['size']}", conditions_of(found), (grid,), notes_of(rows), data, _plots(rows)
    )


def shipped_network(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """The network that ships with stemjax, a filter and the constant."""
    rows = by_field_of_view(gather(found, scores))
    data = tuple(figures_of(row) for row in rows)
    columns = ("Method", "Parameters", "Field of view [px]", "PSNR [dB], 95 % interval", "SSIM")
    grid = Grid(columns, tuple(printed(figures)[: len(columns)] for figures in data))
    notes = ("The filter is tuned on the validation structures. Means over structures.",)
    title = f"The network that ships with stemjax, at size {found[0]['size']}"
    return Table(title, conditions_of(found), (grid,), notes, data)


def by_field_of_view(rows: dict[str, Row]) -> list[Row]:
    """The constant first, then the networks by field of view and parameters."""
    return sorted(rows.values(), key=lambda row: (row.records[0]["field_of_view"] or 0, row.records[0]["parameters"]))


def figures_of(row: Row) -> dict:
    """The figures of one row by name, an empty text where there is none."""
    record, estimate = row.records[0], bootstrap.interval(row.psnr_db, row.units)
    return {
        "network": row.method,
        "parameters": record["parameters"],
        "field_of_view_px": record["field_of_view"] or "",
        "psnr_db": round(row.mean("psnr_db"), 6),
        "psnr_db_low": round(estimate[1], 6) if estimate else "",
        "psnr_db_high": round(estimate[2], 6) if estimate else "",
        "ssim": round(row.mean("ssim"), 6),
        "seeds": len(row.records) if record["seed"] is not None else "",
        "seed_lowest_db": round(min(row.seed_means), 6),
        "seed_highest_db": round(max(row.seed_means), 6),
        "records": " ".join(record["id"][:16] for record in row.records),
    }


def printed(figures: dict) -> tuple[str, ...]:
    """The cells of a row."""
    psnr = f"{figures['psnr_db']:.2f}"
    if figures["psnr_db_low"] != "":
        psnr += f" [{figures['psnr_db_low']:.2f}, {figures['psnr_db_high']:.2f}]"
    seeds = f"{figures['seeds']}"
    if figures["seeds"] not in ("", 1):
        seeds += f": {figures['seed_lowest_db']:.2f} to {figures['seed_highest_db']:.2f}"
    parameters = f"{figures['parameters']:,}"
    return (figures["network"], parameters, str(figures["field_of_view_px"]), psnr, f"{figures['ssim']:.3f}", seeds)


def conditions_of(found: list[dict]) -> str:
    """What was trained and tested, as a caption."""
    first, curves = found[0], [record["learning_curve"] for record in found if record["learning_curve"]]
    crops = sorted({curve[-1]["crops"] for curve in curves})
    caption = (
        f"Data set {first['data_set']['name']}, recipe {first['data_set']['recipe_hash']}; {first['images']} images of "
        f"{len(first['units'])} units of the {first['split']} split, which no network saw."
    )
    if crops:
        seen = f"the same {crops[0]:,} crops" if len(crops) == 1 else f"{crops[0]:,} to {crops[-1]:,} crops"
        caption += f" Every network saw {seen}."
    return caption


def notes_of(rows: list[Row]) -> tuple[str, ...]:
    """What to know about the figures."""
    notes = ["Means over structures; the field of view is measured by the rule that gives the paper's figures."]
    crop = _crop(rows)
    if crop and any((row.records[0]["field_of_view"] or 0) > crop for row in rows):
        notes.append(f"Fields of view above the {crop} px of the crops cannot show what they are worth here.")
    if any(len(row.records) == 1 and row.records[0]["seed"] is not None for row in rows):
        notes.append("A single seed does not show the spread of trainings, which can exceed that over structures.")
    return tuple(notes)


def _crop(rows: list[Row]) -> int:
    """Side of the training crops [px], where the records name one."""
    return max((row.records[0]["conditions"].get("crop_px", 0) for row in rows), default=0)


def _plots(rows: list[Row]) -> dict:
    networks = [row for row in rows if row.records[0]["field_of_view"]]
    return {"field_of_view": lambda: draw(networks)} if networks else {}


def draw(rows: list[Row]) -> bytes:
    """PSNR against field of view: a symbol for each architecture, a colour for each width, a bar over the seeds."""
    found = []
    for row in sorted(rows, key=lambda row: row.records[0]["conditions"].get("width", 0)):
        architecture, *rest = row.method.split(", ")
        group = ", ".join(part for part in rest if not part.endswith("scales"))
        ends = min(row.seed_means), max(row.seed_means)
        found.append(
            figures_groups.Point(row.records[0]["field_of_view"], row.mean("psnr_db"), architecture, group, *ends)
        )
    return figures_groups.points(found, "Field of view [px]", "PSNR [dB]", "range of the seeds")
