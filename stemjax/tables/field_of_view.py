"""Networks trained alike, by field of view: what ablations, Table 3.1 of SBD and the shipped network share."""

from stemjax.figures import groups as figures_groups
from stemjax.metrics import bootstrap
from stemjax.tables import wording
from stemjax.tables.rows import Row


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
        "records": wording.record_ids(row.records),
    }


def printed(figures: dict) -> tuple[str, ...]:
    """The cells of a row."""
    return (
        figures["network"],
        f"{figures['parameters']:,}",
        str(figures["field_of_view_px"]),
        wording.printed(figures, "psnr_db", ".2f"),
        f"{figures['ssim']:.3f}",
        wording.seeds(figures),
    )


def conditions_of(records: list[dict]) -> str:
    """What was trained and tested, as a caption."""
    first, crops = records[0], wording.crops_seen(records)
    caption = (
        f"{wording.data_set(first)}; {first['images']} images of "
        f"{len(first['units'])} units of the {first['split']} split, which no network saw."
    )
    if crops:
        caption += f" Every network saw {'the same ' * (len(crops) == 1)}{wording.span(crops)} crops."
    return caption


def notes_of(rows: list[Row]) -> tuple[str, ...]:
    """What to know about the figures."""
    notes = ["Means over structures; the field of view is measured by the rule that gives the paper's figures."]
    crop = _crop(rows)
    if crop and any((row.records[0]["field_of_view"] or 0) > crop for row in rows):
        notes.append(
            f"Fields of view above the {crop} px of the crops cannot show their worth here: a crop holds no more."
        )
    if any(len(row.records) == 1 and row.records[0]["seed"] is not None for row in rows):
        notes.append("A single seed does not show the spread of trainings, which can exceed that over structures.")
    return tuple(notes)


def _crop(rows: list[Row]) -> int:
    """Side of the training crops [px], where the records name one."""
    return max((row.records[0]["conditions"].get("crop_px", 0) for row in rows), default=0)


def draw(rows: list[Row]) -> bytes:
    """PSNR against field of view: a symbol for each architecture, a colour for each width, a bar over the seeds."""
    points = []
    for row in sorted(rows, key=lambda row: row.records[0]["conditions"].get("width", 0)):
        architecture, *rest = row.method.split(", ")
        group = ", ".join(part for part in rest if not part.endswith("scales"))
        ends = min(row.seed_means), max(row.seed_means)
        points.append(
            figures_groups.Point(row.records[0]["field_of_view"], row.mean("psnr_db"), architecture, group, *ends)
        )
    return figures_groups.points(points, "Field of view [px]", "PSNR [dB]", "range of the seeds")
