"""Figure 3.2 of the SBD paper: how far networks look, against how far they could."""

from stemjax.figures import groups as figures_groups
from stemjax.tables.sbd import PUBLISHED
from stemjax.tables.table import Grid, Table

MODELS = {
    "SBD + DnCNN": "DnCNN",
    "SBD + Small UNet": "Small UNet (DURR)",
    "SBD + UNet": "UNet, 4 scales, 64 base channels",
}
SITES = ("bulk", "surface", "vacuum")
SIDES = {"fov50_px": "50 %", "fov90_px": "90 %", "fov99_px": "99 %", "support_px": "100 %"}


def sbd_figure_3_2(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Effective fields of view of every network and site, from the current records of one size."""
    published = {row["model"]: row["fov"] for row in PUBLISHED["table_3_1_tem"]}
    methods = list(dict.fromkeys(record["method"] for record in found))
    order = sorted(found, key=lambda r: (methods.index(r["method"]), SITES.index(r["conditions"]["pixel"])))
    data = tuple(
        {
            "method": record["method"],
            "pixel": record["conditions"]["pixel"],
            "published_fov_px": published.get(MODELS.get(record["method"]), ""),
            "fov_px": record["field_of_view"],
            **{name: record["scores"][name] for name in SIDES},
            "largest_intercept_counts": max(abs(row["intercept_counts"]) for row in scores[record["id"]]),
            "is_bias_free": not record["denoiser"]["network"].get(
                "bias", "DURR" in record["denoiser"]["network"]["class"]
            ),
            "record": record["id"][:16],
        }
        for record in order
    )
    columns = ("Network", "Pixel", "Published FoV [px]", "FoV by layers [px]")
    columns += tuple(f"{share} [px]" for share in SIDES.values())
    columns += ("Largest intercept [counts]",)
    rows = tuple(
        (
            row["method"] + " (bias-free)" * row["is_bias_free"],
            row["pixel"],
            str(row["published_fov_px"]),
            str(row["fov_px"]),
            *(_with_interval(record, name) for name in SIDES),
            f"{row['largest_intercept_counts']:.3f}",
        )
        for row, record in zip(data, order, strict=True)
    )
    imaging, images = found[0]["imaging"], scores[found[0]["id"]]
    caption = (
        "Side of the smallest square about a denoised pixel that holds a share of its squared gradient with respect "
        f"to the noisy image; 100 %: beyond it the gradient is exactly zero. Means over {len(images)} images of "
        f"{len(found[0]['units'])} structures of the test split; pixels of {imaging['sampling']:g} Å, "
        f"{imaging['counts']:g} electrons per pixel of vacuum."
    )
    notes = (
        "The pixels: a Pt column in the middle of the particle, one in its top row, and the place in vacuum farthest "
        "from every column.",
        "The image's mean is held fixed. The field of view by the layers is that of a pixel in the image's middle with "
        "the smaller of the supports that the phases of pooling give; other pixels see up to 24 px more.",
        "Intercept: what the sum of the noisy pixels, weighted by the gradient, leaves over of the denoised pixel, "
        "both less the image's mean. It is zero without biases: the denoised pixel is that sum exactly.",
        *([] if found[0]["interval"] else ["Too few structures for intervals."]),
    )
    groups = {site: {method: _values(found, scores, method, site) for method in methods} for site in SITES}
    title = f"Figure 3.2 of Mohan et al., regenerated at size {found[0]['size']}"
    label = "99 % of the squared gradient within [px]"
    plots = {"fov": lambda: figures_groups.boxes(groups, label)}
    return Table(title, caption, (Grid(columns, rows),), notes, data, plots)


def _with_interval(record: dict, name: str) -> str:
    value = f"{record['scores'][name]:.0f}"
    if record["interval"] is None:
        return value
    low, high = record["interval"][name]
    return f"{value} [{low:.0f}, {high:.0f}]"


def _values(found: list[dict], scores: dict[str, list[dict]], method: str, site: str) -> list[float]:
    (record,) = (r for r in found if (r["method"], r["conditions"]["pixel"]) == (method, site))
    return [row["fov99_px"] for row in scores[record["id"]]]
