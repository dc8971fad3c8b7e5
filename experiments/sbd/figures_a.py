"""SBD, Figures A.1, A.2, A.4, A.5: defocus, thickness, particle and defect, straight from the simulation.

    stemjax experiment run sbd_figures_a --size cpu

Clean images of PtNp2 without defect on a support of 4 nm, tilted by 3° as the published image, at a defocus of 6 nm,
but for what each figure varies; those of Figure A.1 are not tilted, which shows the reversal best. No denoiser has a
part in them. The correlation of the untilted image with a map of the Pt columns rises through zero at a defocus of
about 3 nm, from black columns to white ones.

Expect at size `cpu` (Panel, r (Pt)): Figure A.1: 0 nm: -0.90; Figure A.1: 3 nm: -0.14; Figure A.1: 20 nm: +0.85; Figure
A.4: PtNp2: +0.95.

Reference: Mohan et al., arXiv:2010.12970, Figures A.1, A.2, A.4 and A.5.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from experiments.sbd import SOURCE
from experiments.workspace import Workspace
from stemjax import figures, records
from stemjax.data import datasets
from stemjax.data.images import Images
from stemjax.data.micrographs import Imaging
from stemjax.tables import wording
from stemjax.tables.table import Grid, Table
from stemjax.training import recipes

TIMES = {"smoke": "1 min", "cpu": "1 min on 2 cores", "gpu": "not measured"}
USUAL = {"particle": "PtNp2", "defect": "D0", "support": "faceted", "thickness_angstrom": 40, "tilt_deg": [3, 0]}
USUAL_DEFOCUS = 60  # Å
BORDER, BELOW = 3.0, 7.0  # Å shown beside and above the particle, and below it


@dataclass(frozen=True)
class Axis:
    """What a figure varies: the property of a structure, or ``defocus_angstrom``; its values; and how to print one.

    `others` are properties that are not the usual ones in all of its panels.
    """

    name: str
    values: tuple
    label: str
    columns: int
    others: dict = field(default_factory=dict)


AXES = {
    "A.1": Axis("defocus_angstrom", tuple(range(0, 201, 10)), "{:g} nm", 7, {"tilt_deg": [0, 0]}),
    "A.2": Axis("thickness_angstrom", (30, 40, 50, 60), "{:g} nm thick", 4),
    "A.4": Axis("particle", ("PtNp1", "PtNp2", "PtNp3", "PtNp4"), "{}", 4),
    "A.5": Axis("defect", ("D0", "D1", "D2", "Dh", "Ds"), "{}", 5),
}


@dataclass(frozen=True)
class Panel:
    """One image [P, P] in counts of an item of the data set at a defocus [Å], with its label and its scores."""

    label: str
    item: int
    defocus: float
    image: np.ndarray
    scores: dict


def run(size: str, workspace: Workspace) -> None:
    """Render, score and record the panels of every figure."""
    data, imaging = workspace.pt_ceo2(size), recipes.SBD_TRAINING[size]["imaging"]
    for figure, axis in AXES.items():
        panels = make_panels(data, imaging, axis)
        scores = [panel.scores for panel in panels]
        record = records.new_record(
            experiment=workspace.experiment,
            method=f"Figure {figure}",
            denoiser=None,
            data_set=data,
            imaging=imaging,
            protocol="sbd",
            size=size,
            split="any",
            scores=scores,
            conditions={"varied": axis.name},
        )
        records.append(workspace.results / "records", record, scores)
        path = workspace.picture(size, figure.replace(".", "").lower())
        draw(panels, data, imaging, axis, path)
        print(f"Figure {figure}: {len(panels)} panels", flush=True)


def make_panels(data: datasets.DataSet, imaging: Imaging, axis: Axis) -> list[Panel]:
    """The panels of a figure, in the order of its axis.

    A value that the data set does not hold is left out, and said so; where it has no structure with all usual
    properties (size `smoke`), the likest one stands in, and the records name it.
    """
    from simulation.contrast import DEFOCI, correlations  # as the data set was labelled

    panels, correlated = [], {}
    for value in axis.values:
        wanted = USUAL | axis.others | ({} if axis.name == "defocus_angstrom" else {axis.name: value})
        defocus = value if axis.name == "defocus_angstrom" else USUAL_DEFOCUS
        index = _likest(data.items, wanted, axis.name)
        if index is None:
            print(f"{axis.name} {value}: no such structure in {data.folder}, so no panel")
            continue
        chosen = Images(np.array([index]), np.array([data.items[index]["unit"]]), np.array([defocus], np.float32))
        image = imaging.clean_images(data, chosen)[0, ..., 0]
        truth = data.truth[data.truth["item"] == index]
        if index not in correlated:
            correlated[index] = correlations(data.waves([index])[0], truth, data.band)
        r_pt, r_ce = correlated[index]
        around = View.of(data, [index], imaging).cut(image, index)
        scores = {
            "image": chosen.names(data)[0],
            "unit": data.items[index]["unit"],
            "label": axis.label.format(value / 10 if isinstance(value, int) else value),
            "minimum_counts": image.min(),
            "maximum_counts": image.max(),
            "mean_counts": image.mean(),
            "contrast": around.std() / around.mean(),
            "ncc_pt": r_pt[DEFOCI.index(defocus)],
            "ncc_ce": r_ce[DEFOCI.index(defocus)],
        }
        panels.append(Panel(scores["label"], index, defocus, image, scores))
    return panels


def _likest(items: list[dict], wanted: dict, varied: str) -> int | None:
    """The item with the wanted value of what is varied, and as many as possible of the others."""
    unlike = {
        index: sum(item[name] != value for name, value in wanted.items())
        for index, item in enumerate(items)
        if varied == "defocus_angstrom" or item[varied] == wanted[varied]
    }
    return min(unlike, key=unlike.get, default=None)


@dataclass(frozen=True)
class View:
    """A window of one size around the particles of several items; lengths in Å.

    Parameters
    ----------
    boxes : dict
        Item -> its particle's box, x0, y0, x1, y1.
    sampling : float
    strip : int
        Pixels of the cell that a test image lacks on its left and at its top.
    """

    boxes: dict[int, list[float]]
    sampling: float
    strip: int

    @classmethod
    def of(cls, data: datasets.DataSet, items: list[int], imaging: Imaging) -> "View":
        pixels = round(data.band.cell / imaging.sampling)
        side = int((data.band.cell - 2 * imaging.margin) / data.band.cell * pixels) // 16 * 16  # of a test image
        boxes = {item: data.items[item]["particle_box_angstrom"] for item in items}
        return cls(boxes, data.band.cell / pixels, (pixels - side) // 2)

    def corner(self, item: int) -> tuple[int, int]:
        """First row and column [px] of the window in the image of an item."""
        x0, y0, x1, _ = self.boxes[item]
        first = (y0 - BORDER) / self.sampling, ((x0 + x1) / 2 / self.sampling - self.shape[1] / 2)
        return tuple(max(round(place - self.strip), 0) for place in first)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the window [px]: those of the largest particle and what is shown around it."""
        x0, y0, x1, y1 = np.array(list(self.boxes.values())).T
        lengths = (y1 - y0).max() + BORDER + BELOW, (x1 - x0).max() + 2 * BORDER
        return tuple(round(length / self.sampling) for length in lengths)

    def cut(self, image: np.ndarray, item: int) -> np.ndarray:
        """The window of an image [P, P] of an item."""
        row, column = self.corner(item)
        return image[row : row + self.shape[0], column : column + self.shape[1]]


def draw(panels: list[Panel], data: datasets.DataSet, imaging: Imaging, axis: Axis, path: Path) -> None:
    """Write a PNG of the particles side by side, each with its label and correlation, on one grey scale and length.

    Where the figure varies the defect, the columns that differ from those of the first panel are ringed.
    """
    from matplotlib.figure import Figure

    view = View.of(data, [panel.item for panel in panels], imaging)
    parts = [view.cut(panel.image, panel.item) for panel in panels]
    limits = np.percentile(np.concatenate([part.ravel() for part in parts]), [0.1, 99.9])
    columns, width = min(axis.columns, len(parts)), 1.35 if len(parts) > 7 else 2.0
    rows, height = -(-len(parts) // columns), width * view.shape[0] / view.shape[1]
    gap, head, foot = 0.05, 0.2, 0.22  # in
    size = columns * (width + gap) - gap, rows * (height + head) + foot
    figure = Figure(figsize=size, dpi=180)
    for index, (panel, part) in enumerate(zip(panels, parts, strict=True)):
        left, bottom = index % columns * (width + gap), size[1] - (index // columns + 1) * (height + head)
        place = (left / size[0], bottom / size[1], width / size[0], height / size[1])
        axes = figure.add_axes(place, xticks=[], yticks=[])
        axes.imshow(part, cmap="gray", vmin=limits[0], vmax=limits[1], interpolation="nearest", aspect="auto")
        axes.set_title(f"{panel.label}, r = {panel.scores['ncc_pt']:+.2f}", fontsize=7, pad=3)
        if axis.name == "defect":
            places = _changed(data, panels[0].item, panel.item) / view.sampling - view.strip
            y, x = (places - view.corner(panel.item)).T
            axes.scatter(x, y, 60, facecolors="none", edgecolors=figures.COLOURS[5], linewidths=1)
        if index == 0:
            figures.scale_bar(axes, part.shape, imaging.sampling)
        axes.set(xlim=(-0.5, part.shape[1] - 0.5), ylim=(part.shape[0] - 0.5, -0.5))
    grey = f"grey scale {limits[0]:.2f} to {limits[1]:.2f} counts per pixel, vacuum {imaging.counts:g}"
    figure.text(0.5, 0.03 / size[1], f"r: correlation with the Pt columns; {grey}", ha="center", fontsize=6.5)
    figures.save(figure, path)


def _changed(data: datasets.DataSet, one: int, other: int) -> np.ndarray:
    """Positions (y, x) [Å] of the Pt columns of one item that the other lacks or has with another number of atoms."""
    platinum = data.truth[data.truth["species"] == b"Pt"]
    before, after = (platinum[platinum["item"] == item] for item in (one, other))
    kept = {_key(column) for column in after}
    places = [(column["y_angstrom"], column["x_angstrom"]) for column in before if _key(column) not in kept]
    return np.array(places, float).reshape(-1, 2)


def _key(column: np.void) -> tuple:
    return round(float(column["x_angstrom"]), 1), round(float(column["y_angstrom"]), 1), int(column["count"])


# ---------------------------------------------------------------------------------------------------- the table
REVERSAL = "Figure A.1"  # over the defocus
PRINTED = {
    "minimum_counts": ("Minimum [counts]", ".2f"),
    "maximum_counts": ("Maximum [counts]", ".2f"),
    "mean_counts": ("Mean [counts]", ".3f"),
    "contrast": ("Contrast", ".3f"),
    "ncc_pt": ("r (Pt)", "+.2f"),
    "ncc_ce": ("r (Ce)", "+.2f"),
}


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """One row per panel, in the order of the figures."""
    order = sorted(records, key=lambda record: record["method"])
    data = tuple(
        {"figure": record["method"], "panel": row["label"], "image": row["image"]}
        | {name: row[name] for name in PRINTED}
        | {"record": wording.record_ids([record])}
        for record in order
        for row in scores[record["id"]]
    )
    rows = tuple(
        (
            f"{row['figure']}: {row['panel']}",
            row["image"],
            *(format(row[name], form) for name, (_, form) in PRINTED.items()),
        )
        for row in data
    )
    columns = ("Panel", "Image", *(heading for heading, _ in PRINTED.values()))
    imaging = records[0]["imaging"]
    caption = (
        f"Clean images, pixels of {imaging['sampling']:g} Å, {imaging['counts']:g} electrons per pixel of vacuum; "
        "no denoiser has a part in them."
    )
    notes = (
        "r: normalised correlation with a map of the Pt (Ce) columns, the rule by which the images are called black "
        "(r of Pt below 0.20), white (r of Pt above 0.80 and of Ce above 0.88) or intermediate.",
        "Contrast: standard deviation over mean, around the particle. Minimum, maximum, mean: of the whole image.",
    )
    plots = {}
    if reversal := [scores[record["id"]] for record in records if record["method"] == REVERSAL]:
        plots["reversal"] = lambda: _reversal(reversal[0])
    return Table(
        wording.title("Figures A.1, A.2, A.4 and A.5", SOURCE, records),
        caption,
        (Grid(columns, rows),),
        notes,
        data,
        plots,
    )


def _reversal(rows: list[dict]) -> bytes:
    """Correlation with the columns over the defocus: contrast reverses where it changes sign."""
    defocus = [float(row["label"].split()[0]) for row in rows]
    series = {
        species: figures.Line(defocus, [row[name] for row in rows])
        for species, name in (("Pt columns", "ncc_pt"), ("Ce columns", "ncc_ce"))
    }
    return figures.lines(series, "Defocus [nm]", "Correlation with the columns", level=("contrast reverses", 0.0))
