"""Noise2Atom, Figure 4: how many noisy images it takes to learn.

    stemjax experiment run noise2atom_figure_4 --size cpu

Trainings of equally many steps, without the restarts of the preset, on 1, 10, 50 and 100 noisy frames on 20 nm of
carbon (size `cpu`: 1, 10, 50 and 128), of as many movies as there are, scored on unseen movies of the same film. The
paper has CSS alone: 0.45 to 0.48 with 1, 10 and 50 images, 0.69 with 100. Recorded so far at size `cpu` with the
cycle weighing five times the low-frequency cycle (see `noise2atom_figure_5`): no such order, as one training of each
says nothing of it, 23.9 dB from 1 image, 22.2 from 10 and from 50, 22.4 from 128, where a constant has 22.3.

Reference: Wang, Henninen, Keller, Erni, "Noise2Atom: unsupervised denoising for scanning transmission electron
microscopy images", Applied Microscopy 50:23, 2020, Figure 4.
"""

from collections.abc import Iterator

from experiments import noise2atom, very_noisy
from experiments.movie_methods import BLANK, Trained, learnt
from experiments.noise2atom import LABEL, PUBLISHED
from experiments.noise2atom.score_table import LEARNT, SCORES, cells, figures_of, notes_of, score_table
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import figures
from stemjax.data.images import Frames
from stemjax.figures.montage import montage
from stemjax.tables.rows import by_conditions
from stemjax.tables.table import Grid, Table

TIMES = {"smoke": "3 min", "cpu": "20 min on one core after noise2atom_figure_5", "gpu": "not measured"}
# (movies, frames of each); 0: all
CHOICES = {
    "smoke": ((1, 1),),
    "cpu": ((1, 1), (5, 2), (5, 10), (0, 0)),
    "gpu": ((1, 1), (5, 2), (5, 10), (5, 20)),
}


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record with every number of images; draw the picture."""
    data = workspace.haadf_pt(size)
    test, validation = (very_noisy.frames(data, size, very_noisy.LEARNT_FROM, s) for s in ("test", "validation"))
    rows, typical = Recorder(size, workspace, data, test), test.images.typical
    for method in noise2atom.bars():
        noise2atom.record(rows, method, data, validation, {"training_images": 0})
    panels = [figures.Panel("Clean", test.clean[typical, ..., 0]), figures.Panel("Noisy", test.noisy[typical, ..., 0])]
    for count, network in networks(size, workspace):
        method = learnt(LABEL, network)
        denoised = noise2atom.record(rows, method, data, validation, {"training_images": count})
        panels.append(figures.Panel(f"{count} image{'s' * (count > 1)}", denoised[typical, ..., 0]))
    path = workspace.picture(size, "montage")
    montage({"20 nm": panels}, path, sampling=data.manifest["frame"]["sampling_angstrom"])


def networks(size: str, workspace: Workspace) -> Iterator[tuple[int, Trained]]:
    """The number of noisy frames, and the network that learnt from them."""
    data = workspace.haadf_pt(size)
    for movies, per_unit in CHOICES[size]:
        selection = Frames(session=(very_noisy.LEARNT_FROM,), movies=movies, per_unit=per_unit)
        count = len(selection.images(data, "train"))
        changes = {"denoiser": noise2atom.left_alone(size), "selection": selection} | noise2atom.SHORT[size]
        yield count, noise2atom.trained(size, workspace, **changes)


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """One row for every number of training images."""
    published = {int(count): value for count, value in PUBLISHED["figure_4_css_by_training_images"].items()}
    parts = {count: rows for (count,), rows in by_conditions(records, scores, "training_images").items()}
    lines, data = [], []
    for count, rows in parts.items():
        for name, row in rows.items():
            label = f"{LABEL}, {count} image{'s' * (count > 1)}" if name == LABEL else name
            nearest = min(published, key=lambda known: abs(known - count))
            paper = str(published[nearest]) if name == LABEL and abs(nearest - count) < 0.1 * nearest else ""
            data.append({"training_images": count, "method": name} | figures_of(row) | {"published_css": paper})
            lines.append((label, *cells(data[-1]), paper))
    bars = {line["method"]: line["psnr_db"] for line in data}
    weak = [line for line in data if line["method"] == LABEL and line["psnr_db"] < bars[BLANK] + LEARNT]
    counts = ", ".join(str(line["training_images"]) for line in weak)
    gate = [f"Less than {LEARNT:g} dB above the constant, so nothing was learnt: from {counts} images."] * bool(weak)
    grid = Grid(
        ("Noisy images to learn from", *(heading for heading, _ in SCORES.values()), "CSS, published"), tuple(lines)
    )
    return score_table("Figure 4", next(iter(parts.values())), (grid,), (*gate, *notes_of(records)), data)
