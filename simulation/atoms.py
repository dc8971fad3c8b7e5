"""A data set of clean images of atoms of many kinds, rendered once from other data sets and drawn.

    stemjax simulate atoms --size smoke --data data --out data/atoms-smoke

Square stills of mean 1, float16, in one shard for each kind and split: Pt on CeO2 at any defocus and pixel size; gold
on graphene, dark and bright field; Pt atoms and clusters on carbon by HAADF; and, to validate and test with, drawn
crystals and images without atoms (`stemjax.physics.crystals`). A still has the split of the structure or the movie
that it shows. Those to validate and test with have a dose each. `stemjax.data.atoms` reads them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import jax
import numpy as np
from scipy.ndimage import map_coordinates

from simulation.maker import SPLITS, Contents, Part, as_json, make, plan_of_size
from stemjax.data import datasets
from stemjax.data.au_graphene import GrapheneImaging
from stemjax.data.haadf_pt import HaadfImaging
from stemjax.data.images import frames_of
from stemjax.physics import crystals
from stemjax.physics.optics import Optics, image

NAME = "atoms"
RECIPE_VERSION = 1  # raise it when the way of rendering changes, or `crystals` what it draws
SOURCES = ("pt-ceo2", "au-graphene", "haadf-pt")
# Kind of the stills: the data set that it is from (none: drawn), and a number of its own for the seeds.
KINDS = {
    "pt-ceo2": ("pt-ceo2", 0),
    "au-graphene-adf": ("au-graphene", 1),
    "au-graphene-bf": ("au-graphene", 2),
    "haadf-pt": ("haadf-pt", 3),
    "crystal": (None, 4),
    "smooth": (None, 5),
}
DOSES = (0.05, 0.2, 1.0, 5.0, 20.0, 100.0, 500.0, 2000.0)  # counts per pixel
FINE = 1024  # px, side of the rendered cell of exit waves
FINEST = 0.05  # Å/px
COARSEST = 0.28  # Å/px of exit waves: an image holds nothing beyond about 1/Å, and the cell is no larger
DEFOCUS = (0.0, 200.0)  # Å
MARGIN = 2.0  # Å at the edges of the cell of an exit wave, where the lattice does not fit
FAINTEST = 0.05  # range of a still, in parts of its mean
TRIES = 20  # to find a place that is not fainter, such as vacuum
ENLARGED = 2.5  # times, at most, that frames of movies are enlarged


@dataclass(frozen=True)
class Plan:
    """Side of the stills [px] and how many there are, by split, of each kind: rendered ones, and drawn ones."""

    side: int
    rendered: tuple[int, int, int]
    drawn: tuple[int, int, int]
    seed: int = 0


PLANS = {
    "smoke": Plan(64, (4, 8, 8), (0, 8, 8)),
    "cpu": Plan(128, (100, 16, 32), (0, 16, 32)),
    "gpu": Plan(160, (300, 16, 48), (0, 16, 48)),
}


@dataclass(frozen=True)
class Stills:
    """A plan and the data sets that it renders from, by name; a part holds the stills of a kind and a split."""

    plan: Plan
    sources: dict[str, datasets.DataSet]

    name: ClassVar[str] = NAME
    what: ClassVar[str] = "shards of stills"
    spread: ClassVar[bool] = False

    def recipe(self) -> dict:
        """Everything that decides what is in the files, as a JSON value."""
        recipe = {
            "name": NAME,
            "version": RECIPE_VERSION,
            "plan": asdict(self.plan),
            "sources": {name: source.recipe_hash for name, source in self.sources.items()},
            "kinds": list(KINDS),
            "doses": DOSES,
            "optics": asdict(Optics()),
            "defocus_angstrom": DEFOCUS,
            "sampling_angstrom": (FINEST, COARSEST),
            "margin_angstrom": MARGIN,
            "fine_pixels": FINE,
            "enlarged": ENLARGED,
            "faintest": FAINTEST,
        }
        return as_json(recipe)

    @property
    def shards(self) -> dict[str, tuple[str, str, int]]:
        """Name of every shard, its kind and split, and its number of stills."""
        numbers = {k: self.plan.rendered if source else self.plan.drawn for k, (source, _) in KINDS.items()}
        counts = [(k, split, n) for k, each in numbers.items() for split, n in zip(SPLITS, each, strict=True) if n]
        return {f"{kind}-{split}": (kind, split, count) for kind, split, count in counts}

    def parts(self) -> list[str]:
        """Every shard."""
        return list(self.shards)

    def make_part(self, name: str) -> tuple[np.ndarray, dict]:
        """Stills float16 [n, H, W] of mean 1, and what each shows."""
        kind, split, count = self.shards[name]
        (source, number), side = KINDS[kind], self.plan.side
        seeds = [[self.plan.seed, number, SPLITS.index(split), index] for index in range(count)]
        generators = [np.random.default_rng(seed) for seed in seeds]
        shard, facts = np.empty((count, side, side), np.float16), []
        for index, (clean, known) in enumerate(_stills(kind, self.sources.get(source), split, side, generators)):
            shard[index] = np.maximum(clean, 0) / np.maximum(clean, 0).mean()
            facts.append(known)
        return shard, {"facts": facts}

    def contents(self, parts: Mapping[str, Part]) -> Contents:
        """The items: what they show, and the dose of those to validate and test with."""
        items = []
        for name, (kind, split, count) in self.shards.items():
            for index, known in zip(range(count), parts[name].facts["facts"], strict=True):
                item = {"id": f"{name}-{index:03d}", "kind": kind, "split": split}
                item |= {"shard": f"{name}.npy", "index": index}
                dose = {} if split == "train" else {"counts": DOSES[index % len(DOSES)]}
                items.append(item | dose | known)
        manifest = {
            "units": {"length": "Å", "intensity": "1 = mean of the image", "counts": "electrons per pixel"},
            "axes": {"x": "right", "y": "down"},
            "frame": {"pixels": self.plan.side, "channels": ["image"]},
        }
        return Contents(items, manifest)


def make_atoms(out: str | Path, data: str | Path, size: str = "smoke", progress: bool = True) -> datasets.DataSet:
    """Make the data set in the folder `out`, or finish it; a finished one is checked and mended.

    Parameters
    ----------
    out : path
        Folder of this data set alone; made if missing.
    data : path
        Folder that holds the data sets ``pt-ceo2-SIZE``, ``au-graphene-SIZE`` and ``haadf-pt-SIZE``.
    size : str
        "smoke" (112 stills of 64 px), "cpu" (688 of 128 px) or "gpu" (1584 of 160 px).
    progress : bool
        Report progress on stderr.

    Raises
    ------
    OSError
        If a source is missing, another process writes to the folder, or the disk is full.
    ValueError
        If the folder holds data of another recipe, or there is no such size.
    """
    plan = plan_of_size(NAME, PLANS, size)
    sources = {name: _source(Path(data), name, size) for name in SOURCES}
    return make(out, Stills(plan, sources), progress=progress)


def _source(data: Path, name: str, size: str) -> datasets.DataSet:
    folder = data / f"{name}-{size}"
    if not (folder / "manifest.json").is_file():
        raise OSError(f"{folder}: missing; make it with `stemjax simulate {name} --size {size} --out {folder}`")
    return datasets.open_data_set(folder)


# ---------------------------------------------------------------------------------------------------- the stills
Found = Iterator[tuple[np.ndarray, dict]]  # stills and what they show


def _stills(kind: str, source: datasets.DataSet | None, split: str, side: int, generators: list) -> Found:
    """The stills of a kind and a split, one for each generator."""
    if source is None:
        return _drawn(generators, kind == "crystal", side)
    items = [index for index, item in enumerate(source.items) if item["split"] == split]
    if not items:
        raise OSError(f"{source.folder}: nothing of split {split!r}")
    if kind == "pt-ceo2":
        return _of_waves(generators, source, items, side)
    channel = kind.removeprefix("au-graphene-")
    imaging = HaadfImaging() if kind == "haadf-pt" else GrapheneImaging(channels=(channel,))
    return _of_movies(generators, source, items, imaging, side)


def _drawn(generators: list, atoms: bool, side: int) -> Found:
    """Drawn images; one that is nearly constant has no PSNR, so it is drawn again."""
    for generator in generators:
        clean = np.ones(1)
        while np.ptp(clean) < FAINTEST:
            key = int(generator.integers(2**31))
            clean = np.asarray(crystals.draw(jax.random.key(key), side, atoms))
        yield clean, {"unit": f"drawn-{key}"}


def _of_waves(generators: list, source: datasets.DataSet, items: list[int], side: int) -> Found:
    """Pieces of images of random exit waves, at random defocus, pixel size and orientation."""
    fine, band = source.band.cell / FINE, source.band
    border = int(np.ceil(MARGIN / fine))
    inside = slice(border, FINE - border)
    render = jax.jit(lambda wave, defocus: image(wave, defocus, band, Optics(), FINE))
    chosen = [items[generator.integers(len(items))] for generator in generators]
    for generator, item, wave in zip(generators, chosen, source.waves(chosen), strict=True):
        defocus = generator.uniform(*DEFOCUS)
        whole = np.asarray(render(wave, np.float32(defocus)))[inside, inside]
        clean, step = piece(generator, whole, side, (FINEST / fine, COARSEST / fine))
        known = {"defocus_angstrom": round(defocus, 2), "sampling_angstrom": round(step * fine, 4)}
        yield clean, {"unit": source.items[item]["unit"], "source_item": source.items[item]["id"]} | known


def _of_movies(generators: list, source: datasets.DataSet, items: list[int], imaging, side: int) -> Found:
    """Pieces of random frames of random movies, enlarged and turned."""
    chosen = [(generator, items[generator.integers(len(items))]) for generator in generators]
    chosen = [(g, item, int(g.integers(source.items[item]["frames"]))) for g, item in chosen]
    pairs = sorted({(item, frame) for _, item, frame in chosen})  # movie by movie: each is set up once
    item, frame = np.array(pairs, np.int32).T
    frames = frames_of(source, item, frame)
    images = dict(zip(pairs, imaging.clean_images(source, frames)[..., 0], strict=True))
    sampling = source.manifest["frame"]["sampling_angstrom"]
    for generator, item, frame in chosen:
        clean, step = piece(generator, images[item, frame], side, (1 / ENLARGED, 1.0))
        movie = source.items[item]
        known = {"source_item": f"{movie['id']}-frame{frame:03d}", "sampling_angstrom": round(step * sampling, 4)}
        yield clean, {"unit": movie["unit"]} | known


def piece(generator, frame: np.ndarray, side: int, steps: tuple[float, float]) -> tuple[np.ndarray, float]:
    """A square of a clean image that shows something, turned at random and with pixels of another size.

    Parameters
    ----------
    frame : [H, W]
    side : int
        Of the square [px].
    steps : tuple of float
        Range of the square's pixels, in those of the frame, log-uniform; narrowed to what fits.

    Returns
    -------
    (float64 [side, side], step)
    """
    for _ in range(TRIES):
        clean, step = _square(generator, frame, side, steps)
        if np.ptp(clean) > FAINTEST * abs(clean.mean()):
            break
    return clean, step


def _square(generator, frame: np.ndarray, side: int, steps: tuple[float, float]) -> tuple[np.ndarray, float]:
    """Any square of a clean image, by splines of third order."""
    room = min(frame.shape) - 1.0
    step = min(np.exp(generator.uniform(*np.log(steps))), room / side)
    reach = room / side / step  # |cos| + |sin| of the angle may be as large
    largest = np.pi / 4 if reach >= np.sqrt(2) else np.arcsin(min(reach / np.sqrt(2), 1)) - np.pi / 4
    angle = np.pi / 2 * generator.integers(4) + generator.uniform(-1, 1) * max(largest, 0)
    extent = step * (side - 1) * (abs(np.cos(angle)) + abs(np.sin(angle)))
    centre = [(n - 1) / 2 + generator.uniform(-0.5, 0.5) * max(n - 1 - extent, 0) for n in frame.shape]
    grid = (np.arange(side) - (side - 1) / 2) * step
    v, u = grid[:, None], grid
    places = [centre[0] + np.cos(angle) * v + np.sin(angle) * u, centre[1] - np.sin(angle) * v + np.cos(angle) * u]
    return map_coordinates(frame.astype(np.float64), places, order=3, mode="mirror"), float(step)
