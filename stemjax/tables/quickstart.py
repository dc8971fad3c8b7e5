"""The table that `stemjax quickstart` ends with."""

from stemjax.metrics import bootstrap
from stemjax.tables.rows import gather
from stemjax.tables.table import Grid, Table

SHIPPED_NOTE = (
    "The UNet trained here learnt from this very data set, at this pixel size and dose alone. The one shipped with "
    "stemjax, which `stemjax denoise` uses, was trained before, on another data set, for many pixel sizes, doses and "
    "contrasts: it does for more images, and here the one trained here may be better."
)


def quickstart(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Methods by falling PSNR, with the value of each test structure: they are too few for intervals or ranks."""
    rows = sorted(gather(found, scores).values(), key=lambda row: -row.mean("psnr_db"))
    data = []
    for row in rows:
        parameters = row.records[0]["parameters"]
        units = bootstrap.unit_means(row.scores["psnr_db"], row.units)
        figures = {"method": row.method, "parameters": parameters or "", "psnr_db": round(row.mean("psnr_db"), 6)}
        figures |= {"ssim": round(row.mean("ssim"), 6)}
        data.append(figures | {f"psnr_db {unit}": round(value, 6) for unit, value in units.items()})
    columns = ("Method", "Parameters", "PSNR [dB]", "SSIM", *units)
    printed = tuple(
        (
            figures["method"],
            f"{figures['parameters']:,}" if figures["parameters"] else "",
            f"{figures['psnr_db']:.2f}",
            f"{figures['ssim']:.3f}",
            *(f"{figures[f'psnr_db {unit}']:.2f}" for unit in units),
        )
        for figures in data
    )
    first = found[0]
    caption = (
        f"{first['images']} images of {len(first['units'])} structures that no network was trained on, "
        f"{first['imaging']['counts']:g} electrons per pixel of {first['imaging']['sampling']:g} Å; the last columns "
        "are the PSNR of each structure."
    )
    both = {"UNet, trained here", "UNet, shipped with stemjax"} <= {row.method for row in rows}
    notes = (SHIPPED_NOTE,) * both
    return Table("Quickstart", caption, (Grid(columns, printed),), notes, tuple(data))
