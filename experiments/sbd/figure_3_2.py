"""SBD, Figure 3.2: what a network looks at, as the gradient of one denoised pixel with respect to the noisy image.

    stemjax experiment run sbd_figure_3_2 --size cpu

The three networks of Table 5.1, at a pixel in the bulk of the particle, one at its surface and one in vacuum, over the
test structures: the square that holds 50, 90 and 99 % of the squared gradient, beside the field of view by the layers.
The gradient of the UNet of 221 px repeats the lattice in the particle, so that it reaches farther there than in vacuum.
The bias-free UNet leaves an intercept of zero.

Expect at size `cpu` (Network, 99 % [px]): SBD + DnCNN, bulk: 31 [31, 32]; SBD + Small UNet, bulk: 34 [34, 35]; SBD +
UNet (bias-free), bulk: 68 [61, 74]; SBD + UNet (bias-free), vacuum: 56 [49, 62].

Reference: Mohan et al., arXiv:2010.12970, Figure 3.2.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.recorder import Recorder
from experiments.sbd import NETWORKS, PUBLISHED, SOURCE, WHITE, tuned_network
from experiments.workspace import Workspace
from stemjax import figures
from stemjax.apply.evaluate import ImageSet, image_set
from stemjax.data import datasets
from stemjax.figures import groups as figures_groups
from stemjax.metrics.field_of_view import field_of_view
from stemjax.metrics.gradients import effective_field_of_view, intercept, jacobian_rows, support
from stemjax.tables import wording
from stemjax.tables.table import Grid, Table
from stemjax.training import recipes

TIMES = {
    "smoke": "1 min",
    "cpu": "5 min on 2 cores after the trainings of Table 5.1",
    "gpu": "not measured",
}
IMAGES_PER_UNIT = {"smoke": 1, "cpu": 1, "gpu": 5}
SITES = ("bulk", "surface", "vacuum")


def run(size: str, workspace: Workspace) -> None:
    """Differentiate every network at every site of every test image; draw the picture."""
    data = workspace.pt_ceo2(size)
    imaging = recipes.SBD_TRAINING[size]["imaging"]
    test = image_set(data, WHITE, "test", IMAGES_PER_UNIT[size], imaging)
    rows, pixels = Recorder(size, workspace, data, test), find_pixels(data, test)
    typical, pictures = test.images.typical, {}
    for method, name in NETWORKS.items():
        network, *trained, tuning = tuned_network(name, size, workspace, data)
        looks = [look(network.denoiser, trained[0], *pair) for pair in zip(test.noisy, pixels, strict=True)]
        denoised = np.stack([look.denoised for look in looks])[..., None]
        for index, site in enumerate(SITES):
            extra = [look.scores[index] for look in looks]
            facts = {"denoised": denoised, "extra": extra, "conditions": {"pixel": site}}
            rows.add_trained(method, network, *trained, tuning, **facts)
        reach = field_of_view(network.denoiser.network.geometry())
        pictures[f"{method}, {reach} px"] = (looks[typical].gradients, [s["fov90_px"] for s in looks[typical].scores])
    draw(test, typical, pixels[typical], pictures, workspace.picture(size))


@dataclass(frozen=True)
class Look:
    """One image by one network: denoised [H, W] in counts, gradients [3, H, W] of the three sites, and their scores."""

    denoised: np.ndarray
    gradients: np.ndarray
    scores: list[dict]


def look(denoiser, variables: dict, noisy: np.ndarray, pixels: np.ndarray) -> Look:
    """Gradients of a network at the sites of one image [H, W, 1], the image's mean held fixed."""
    image = noisy[..., 0]
    variables = denoiser.prepare(variables, noisy[None])
    mean = float(np.ravel(variables.get("normalisation", {"offset": 0.0})["offset"])[0])
    denoised, gradients = jacobian_rows(denoiser.denoise, variables, image, pixels)
    scores = []
    for pixel, gradient in zip(pixels, gradients, strict=True):
        sides = effective_field_of_view(gradient, pixel)
        left = intercept(denoised[tuple(pixel)] - mean, gradient, image - mean)
        fields = dict(zip(("fov50_px", "fov90_px", "fov99_px"), sides, strict=True))
        scores.append(fields | {"support_px": support(gradient, pixel), "intercept_counts": left})
    return Look(denoised, gradients, scores)


def find_pixels(data: datasets.DataSet, test: ImageSet) -> list[np.ndarray]:
    """Row and column of the three sites in each image, int [3, 2]: the Pt column nearest to the middle of the particle,
    the one in the middle of its top row, and the place in vacuum farthest from every column and from the edge."""
    from scipy.ndimage import distance_transform_edt

    side = test.clean.shape[1]
    pixels = round(data.band.cell / test.imaging.sampling)
    sampling, strip = data.band.cell / pixels, (pixels - side) // 2
    sites_of = []
    for item in test.images.item:
        columns = data.truth[data.truth["item"] == item]
        places = np.stack([columns["y_angstrom"], columns["x_angstrom"]], axis=1) / sampling - strip
        platinum = columns["species"] == b"Pt"
        middle = places[platinum].mean(axis=0)
        bulk = places[platinum & ~columns["surface"]]
        surface = places[platinum & columns["surface"]]
        top = surface[surface[:, 0] < surface[:, 0].min() + 1 / sampling]
        sites = [bulk[np.argmin(np.linalg.norm(bulk - middle, axis=1))], top[np.argmin(abs(top[:, 1] - middle[1]))]]
        empty = np.zeros((side + 2, side + 2), bool)
        empty[1:-1, 1:-1] = True
        inside = np.rint(places[((places >= 0) & (places <= side - 1)).all(axis=1)]).astype(int) + 1
        empty[tuple(inside.T)] = False
        vacuum = np.array(np.unravel_index(np.argmax(distance_transform_edt(empty)), empty.shape)) - 1
        sites_of.append(np.rint([*sites, vacuum]).astype(int))
    return sites_of


# ---------------------------------------------------------------------------------------------------- picture
def draw(test: ImageSet, typical: int, pixels: np.ndarray, pictures: dict, path: Path, reach: int = 60) -> None:
    """Write a PNG: a row per site with the noisy image, the clean one, and the gradient of every network about it.

    A gradient is divided by its largest value; the square holds 90 % of the squared gradient.
    """
    from matplotlib.colors import SymLogNorm
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    clean, noisy = test.clean[typical, ..., 0], test.noisy[typical, ..., 0]
    limits = np.percentile(clean, [0.1, 99.9])
    spread = noisy.mean() + np.array([-2.5, 2.5]) * noisy.std()
    figure = Figure(figsize=(1.75 * (2 + len(pictures)) + 0.7, 1.75 * 3 + 0.6), dpi=180, layout="constrained")
    grid = figure.subplots(3, 2 + len(pictures))
    norm = SymLogNorm(linthresh=0.01, vmin=-1, vmax=1)
    for index, (row, pixel) in enumerate(zip(grid, pixels, strict=True)):
        for axes, image, (low, high) in zip(row, (clean, noisy), (limits, spread), strict=False):
            axes.imshow(_window(image, pixel, reach), cmap="gray", vmin=low, vmax=high, interpolation="nearest")
            axes.plot(reach, reach, "+", color=figures.COLOURS[5], markersize=8, markeredgewidth=1.5)
        for axes, (gradients, sides) in zip(row[2:], pictures.values(), strict=True):
            gradient = gradients[index] / np.abs(gradients[index]).max()
            drawn = axes.imshow(_window(gradient, pixel, reach), cmap="RdBu_r", norm=norm, interpolation="nearest")
            corner = (reach - sides[index] / 2, reach - sides[index] / 2)
            axes.add_patch(Rectangle(corner, sides[index], sides[index], fill=False, linewidth=0.8))
            axes.set_title(f"90 % in {sides[index]} px", fontsize=7, pad=2)
        for axes in row:
            axes.set(xticks=[], yticks=[], facecolor="#bbbbbb")
        row[0].set_ylabel(SITES[index], fontsize=9)
    for axes, label in zip(grid[0], ("Clean", "Noisy, own grey scale", *pictures), strict=True):
        axes.set_title("\n".join(part for part in (label, axes.get_title()) if part), fontsize=7.5, pad=3)
    bar = figure.colorbar(drawn, ax=grid, shrink=0.5, aspect=30, ticks=(-1, -0.1, -0.01, 0, 0.01, 0.1, 1))
    bar.set_label("gradient / its largest value", fontsize=8)
    bar.ax.set_yticklabels(["-1", "-0.1", "-0.01", "0", "0.01", "0.1", "1"], fontsize=7)
    figures.scale_bar(grid[0, 0], (2 * reach + 1, 2 * reach + 1), test.imaging.sampling)
    figures.save(figure, path, full_colour=True)


def _window(image: np.ndarray, pixel: np.ndarray, reach: int) -> np.ndarray:
    """The image within `reach` of a pixel; NaN beyond its edge."""
    y, x = pixel
    padded = np.pad(image, reach, constant_values=np.nan)
    return padded[y : y + 2 * reach + 1, x : x + 2 * reach + 1]


# ---------------------------------------------------------------------------------------------------- the table
MODELS = {
    "SBD + DnCNN": "DnCNN",
    "SBD + Small UNet": "Small UNet (DURR)",
    "SBD + UNet": "UNet, 4 scales, 64 base channels",
}
SIDES = {"fov50_px": "50 %", "fov90_px": "90 %", "fov99_px": "99 %", "support_px": "100 %"}


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Effective fields of view of every network and site, from the current records of one size."""
    published = {row["model"]: row["fov"] for row in PUBLISHED["table_3_1_tem"]}
    methods = list(dict.fromkeys(record["method"] for record in records))
    order = sorted(records, key=lambda r: (methods.index(r["method"]), SITES.index(r["conditions"]["pixel"])))
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
            "record": wording.record_ids([record]),
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
    imaging, images = records[0]["imaging"], scores[records[0]["id"]]
    caption = (
        "Side of the smallest square about a denoised pixel that holds a share of its squared gradient with respect "
        f"to the noisy image; 100 %: beyond it the gradient is exactly zero. Means over {len(images)} images of "
        f"{len(records[0]['units'])} structures of the test split; pixels of {imaging['sampling']:g} Å, "
        f"{imaging['counts']:g} electrons per pixel of vacuum."
    )
    notes = (
        "The pixels: a Pt column in the middle of the particle, one in its top row, and the place in vacuum farthest "
        "from every column.",
        "The image's mean is held fixed. The field of view by the layers is that of a pixel in the image's middle with "
        "the smaller of the supports that the phases of pooling give; other pixels see up to 24 px more.",
        "Intercept: what the sum of the noisy pixels, weighted by the gradient, leaves over of the denoised pixel, "
        "both less the image's mean. It is zero without biases: the denoised pixel is that sum exactly.",
        *([] if records[0]["interval"] else ["Too few structures for intervals."]),
    )
    groups = {site: {method: _values(records, scores, method, site) for method in methods} for site in SITES}
    title = wording.title("Figure 3.2", SOURCE, records)
    label = "99 % of the squared gradient within [px]"
    plots = {"fov": lambda: figures_groups.boxes(groups, label)}
    return Table(title, caption, (Grid(columns, rows),), notes, data, plots)


def _with_interval(record: dict, name: str) -> str:
    value = f"{record['scores'][name]:.0f}"
    if record["interval"] is None:
        return value
    low, high = record["interval"][name]
    return f"{value} [{low:.0f}, {high:.0f}]"


def _values(records: list[dict], scores: dict[str, list[dict]], method: str, site: str) -> list[float]:
    (record,) = (r for r in records if (r["method"], r["conditions"]["pixel"]) == (method, site))
    return [row["fov99_px"] for row in scores[record["id"]]]
