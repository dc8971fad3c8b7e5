"""Tables of the WCVD paper: the layers and features of its subnets, and their kernels behind low-pass filters."""

from stemjax.tables.n2v import estimate, printed
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table
from stemjax.tables.wcvd import FITTED, FITTED_NOTE, SOURCE, caption


def wcvd_sweep(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """PSNR by layers and features of the subnets."""
    rows = gather(found, scores)
    data = tuple(_swept(row) for row in rows.values())
    is_fitted = any("fitted_psnr_db" in figures for figures in data)
    columns = ("Pt on CeO2, unseen", "Parameters", "PSNR [dB]", *[FITTED] * is_fitted, "SSIM", "subnets drawn again")
    lines = tuple(
        (
            _subnets(figures),
            f"{figures['parameters']:,}" if figures["parameters"] else "",
            printed(figures, "psnr_db", ".2f"),
            *[printed(figures, "fitted_psnr_db", ".2f")] * is_fitted,
            f"{figures['ssim']:.3f}",
            format(figures["redrawn"], "" if figures["redrawn"] == "" else ".0f"),
        )
        for figures in data
    )
    notes = (
        "Without the low-pass filter. One seed each: it does not show the spread of trainings.",
        "Subnets that gave 0 everywhere, at the beginning or in the first half of the training, are drawn again.",
        *[FITTED_NOTE] * is_fitted,
    )
    title = f"Layers and features of WCVD, {SOURCE}, at size {found[0]['size']}"
    return Table(title, caption({"pt": rows}), (Grid(columns, lines),), notes, data)


def _subnets(figures: dict) -> str:
    """What a row is of: "1 layer of 3 features"."""
    if "layers" not in figures:
        return figures["method"]
    layers, features = figures["layers"], figures["features"]
    return f"{layers} layer{'s' * (layers > 1)} of {features} feature{'s' * (features > 1)}"


def _swept(row: Row) -> dict:
    record = row.records[0]
    ends = zip(("", "_low", "_high"), estimate(row.scores["psnr_db"], row.units), strict=True)
    figures = {f"psnr_db{end}": "" if value is None else round(value, 6) for end, value in ends}
    if "fitted_psnr_db" in row.scores:
        figures["fitted_psnr_db"] = round(row.mean("fitted_psnr_db"), 6)
    redrawn = record["learning_curve"][-1].get("redrawn", "") if record["learning_curve"] else ""
    facts = {"parameters": record["parameters"], "ssim": round(row.mean("ssim"), 6), "redrawn": redrawn}
    return {"method": row.method} | record["conditions"] | facts | figures | {"records": record["id"][:16]}


def wcvd_figure_s3(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """PSNR of each kernel without and with the low-pass filters."""
    parts: dict[float, list[dict]] = {}
    for record in found:
        parts.setdefault(record["conditions"].get("low_pass_divisor", -1), []).append(record)
    gathered = {divisor: gather(part, scores) for divisor, part in parts.items()}
    divisors = sorted(divisor for divisor in gathered if divisor >= 0)
    names = list(gathered[divisors[0]])
    data = tuple(
        _swept(row) | {"low_pass_divisor": "" if divisor < 0 else divisor}
        for divisor, rows in sorted(gathered.items())
        for row in rows.values()
    )
    by = {(line["method"], line["low_pass_divisor"]): line for line in data}

    def grid(heading: str, score: str) -> Grid:
        lines = [(name, printed(by[name, ""], score, ".2f"), *blank) for name in gathered.get(-1, {})]
        lines += [(name, *(printed(by[name, divisor], score, ".2f") for divisor in divisors)) for name in names]
        return Grid((heading, *columns), tuple(lines))

    blank = [""] * (len(divisors) - 1)
    columns = tuple("no low-pass" if not divisor else f"divisor {divisor:g}" for divisor in divisors)
    grids = [grid("Pt on CeO2, unseen", "psnr_db")]
    is_fitted = any("fitted_psnr_db" in figures for figures in data)
    if is_fitted:
        grids.append(grid(FITTED, "fitted_psnr_db"))
    notes = (
        "PSNR [dB]. A low-pass filter of divisor d keeps frequencies up to 1 / (2 d) cycles per pixel.",
        "One seed each: it does not show the spread of trainings.",
        *[FITTED_NOTE] * is_fitted,
    )
    title = f"Figure S3 of {SOURCE}, regenerated at size {found[0]['size']}"
    return Table(title, caption({"pt": gathered[divisors[0]]}), tuple(grids), notes, data)
