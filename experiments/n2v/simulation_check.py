"""Noise2Void: the frames of the simulated movies against direct multislice, which they stand in for.

    stemjax experiment run n2v_simulation_check --size cpu

One and two Au adatoms off the sites of the library, on a model of another size than the library's, scanned position by
position by abTEM under the aberrations of each session; then turned, drifted, blurred and sampled like a frame. Beside
it, the frame that `stemjax.physics.contrast_library` makes of library and positions: with the sites weighted
bilinearly, as in movies, with the mean of the 9 sites, and with site (0, 0) alone.

Expect at size `cpu` (Contrast of an adatom, ADF PSNR [dB]): Bilinear between 9 sites, session a, one adatom: 47.6; Site
(0, 0), session a, one adatom: 42.7.

Reference: Thornley et al., "Noise2Void for Denoising Atomic Resolution STEM Images", for the imaging conditions.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from experiments.workspace import Workspace
from stemjax import figures, records
from stemjax.apply.evaluate import ImageSet, scores
from stemjax.data import au_graphene, datasets
from stemjax.data.images import Images
from stemjax.physics import contrast_library
from stemjax.tables import wording
from stemjax.tables.table import Grid, Table

TIMES = {"smoke": "1 min", "cpu": "5 min on 2 cores", "gpu": "not measured"}
CELLS = {"smoke": (4, 3), "cpu": (6, 4), "gpu": (8, 5)}  # orthogonal cells of graphene in the direct model
ADATOMS = {"one adatom": ((5.1, 6.3),), "two adatoms 3.5 Å apart": ((4.0, 5.4), (6.8, 7.5))}  # (x, y), Å
METHODS = ("Bilinear between 9 sites", "Mean of 9 sites", "Site (0, 0)")


@dataclass(frozen=True)
class NoiselessFrames:
    """Frames without noise, as fractions of the incident beam."""

    sampling: float = au_graphene.GrapheneImaging.sampling
    channels: tuple[str, ...] = ("adf", "bf")

    protocol: ClassVar[str] = "stem"

    def contract(self, clamp: bool = True) -> dict:
        """How `metrics.image.score` is to compare two images; nothing is clamped."""
        return {"protocol": self.protocol}


@dataclass(frozen=True)
class Case:
    """One direct image [ny, nx, 2] of a periodic model, and the frame to be made of it.

    Parameters
    ----------
    item : dict
        Movie of the data set whose conditions the frame has.
    adatoms : float [N, 2]
        (y, x) in the lattice [Å].
    extent : float [2]
        Sides (y, x) of the model [Å].
    """

    name: str
    item: dict
    adatoms: np.ndarray
    extent: np.ndarray
    image: np.ndarray

    @property
    def pixels(self) -> tuple[int, int]:
        """Rows and columns of the frame, which shows about one period."""
        return tuple(int(side / NoiselessFrames.sampling) for side in self.extent)

    @property
    def drift(self) -> np.ndarray:
        """Of the specimen (y, x) [Å], float32 [2]: such that the adatoms are in the middle of the frame."""
        middle = NoiselessFrames.sampling * (np.array(self.pixels) - 1) / 2
        turned = contrast_library.to_frame(self.adatoms.mean(axis=0), self.item["rotation_deg"], 0.0)
        return np.asarray(middle - turned, np.float32)


def run(size: str, workspace: Workspace) -> None:
    """Scan every case, render it in three ways, score and record them, and draw the first."""
    data = workspace.au_graphene(size)
    libraries = au_graphene.read_libraries(data, [0, 1])
    cases = direct_images(data, CELLS[size])
    direct = [direct_frame(case) for case in cases]
    rows, imaging, rendered = np.arange(len(cases)), NoiselessFrames(), {}
    units = np.array([case.name for case in cases])
    for method in METHODS:
        rendered[method] = [superposition(change(libraries[case.item["setting"]], method), case) for case in cases]
        images = ImageSet(direct, direct, Images(rows, units, frame=rows), units.tolist(), imaging)
        of_images = scores(rendered[method], images)
        record = records.new_record(
            experiment=workspace.experiment,
            method=method,
            denoiser=None,
            data_set=data,
            imaging=imaging,
            protocol=imaging.protocol,
            size=size,
            split="any",
            scores=of_images,
        )
        records.append(workspace.results / "records", record, of_images)
        for row in of_images:
            print(f"{method:26s}{row['image']:36s}ADF {row['adf_psnr_db']:.2f} dB, BF {row['bf_psnr_db']:.2f} dB")
    draw(cases, direct, rendered[METHODS[0]], workspace.picture(size))


# ---------------------------------------------------------------------------------------------------- direct
def direct_images(data: datasets.DataSet, cells: tuple[int, int]) -> list[Case]:
    """Every arrangement of adatoms under the conditions of the first movie of each session, by abTEM alone."""
    from simulation import graphene
    from simulation.folder import reporter

    recipe = {name: tuple(v) if isinstance(v, list) else v for name, v in data.manifest["recipe"]["stem"].items()}
    stem, extent = graphene.Stem(**recipe), np.multiply(cells, graphene.CELL)[::-1]
    cases = []
    for session in sorted({item["session"] for item in data.items}):
        item = next(item for item in data.items if item["session"] == session)
        aberrations = graphene.Aberrations(item["c10_angstrom"], item["c30_angstrom"])
        for label, adatoms in ADATOMS.items():
            name, columns = f"session {session}, {label}", cells[0] * stem.pixels[0]
            with reporter(f"columns of {name}", 0, columns, progress=True) as report:
                image = graphene.scanned_image(adatoms, stem, cells, aberrations, report)
            cases.append(Case(name, item, np.array(adatoms)[:, ::-1], extent, image))
    return cases


def direct_frame(case: Case) -> np.ndarray:
    """The direct image blurred, and evaluated by its Fourier series where the frame's pixels lie: float [H, W, 2]."""
    ky, kx = (
        np.fft.fftfreq(count, side / count) for count, side in zip(case.image.shape[:2], case.extent, strict=True)
    )
    blur = np.exp(
        -2 * (np.pi * case.item["blur_fwhm_angstrom"] / contrast_library.FWHM) ** 2 * (ky[:, None] ** 2 + kx**2)
    )
    series = np.fft.fft2(case.image, axes=(0, 1), norm="forward") * blur[..., None]
    frame = NoiselessFrames.sampling * np.stack(np.indices(case.pixels), axis=-1)
    place = np.asarray(contrast_library.to_lattice(frame, case.item["rotation_deg"], case.drift), float)
    y, x = np.exp(2j * np.pi * place[..., :1] * ky), np.exp(2j * np.pi * place[..., 1:] * kx)
    return np.einsum("hwk,klc,hwl->hwc", y, series, x, optimize=True).real


# ---------------------------------------------------------------------------------------------------- superposition
def change(library: contrast_library.Library, method: str) -> contrast_library.Library:
    """The library with what stands in for all of its sites."""
    if method == "Mean of 9 sites":
        return replace(library, contrast=0 * library.contrast + library.contrast.mean(axis=0))
    if method == "Site (0, 0)":
        return replace(library, contrast=0 * library.contrast + library.contrast[0])
    return library


def superposition(library: contrast_library.Library, case: Case) -> np.ndarray:
    """The frame of library and adatoms, those of the neighbouring periods included; float32 [H, W, 2]."""
    periods = np.stack(np.meshgrid(range(-2, 3), range(-2, 3), indexing="ij"), axis=-1).reshape(-1, 1, 2)
    lattice = (case.adatoms + periods * case.extent).reshape(-1, 2).astype(np.float32)
    seen = contrast_library.view(
        library, case.item["rotation_deg"], case.item["blur_fwhm_angstrom"], NoiselessFrames.sampling
    )
    positions = contrast_library.to_frame(lattice, case.item["rotation_deg"], case.drift)
    return np.asarray(contrast_library.frame(seen, positions, np.ones(len(lattice), bool), case.drift, case.pixels))


# ---------------------------------------------------------------------------------------------------- picture
def draw(cases: list[Case], direct: list[np.ndarray], rendered: list[np.ndarray], path: Path) -> None:
    """Write a PNG: a row per case with the direct frame, the rendered one, and 20 times their difference."""
    from matplotlib.figure import Figure

    height, width = direct[0].shape[:2]
    figure = Figure(figsize=(6 * 1.5, (1.4 * height / width + 0.05) * len(cases) + 0.2), dpi=180, layout="constrained")
    grid = figure.subplots(len(cases), 6)
    for row, case, true, made in zip(grid, cases, direct, rendered, strict=True):
        for channel, axes in enumerate((row[:3], row[3:])):
            low, high = true[..., channel].min(), true[..., channel].max()
            half = (high - low) / 2
            panels = (true, low, high), (made, low, high), (20 * (made - true), -half, half)
            for place, (image, lowest, highest) in zip(axes, panels, strict=True):
                place.imshow(image[..., channel], cmap="gray", vmin=lowest, vmax=highest, interpolation="nearest")
                place.set(xticks=[], yticks=[])
        row[0].set_ylabel(case.name.replace(", ", ",\n"), fontsize=7)
    for axes, kind in zip(grid[0], 2 * ("multislice", "superposition", "difference x 20"), strict=True):
        axes.set_title(kind, fontsize=7, pad=3)
    for axes, channel in ((grid[0, 0], "ADF"), (grid[0, 3], "BF")):
        axes.set_title(f"{channel}, multislice", fontsize=7, pad=3)
    figures.scale_bar(grid[0, 0], (height, width), NoiselessFrames.sampling)
    grid[0, 0].set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    figures.save(figure, path)


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """One row per way to render and per image."""
    order = sorted(records, key=lambda record: -record["scores"]["psnr_db"])
    names = {"adf_psnr_db": "ADF PSNR [dB]", "bf_psnr_db": "BF PSNR [dB]"}
    data = tuple(
        {"contrast": record["method"], "image": row["image"]}
        | {name: row[name] for name in names}
        | {"record": wording.record_ids([record])}
        for record in order
        for row in scores[record["id"]]
    )
    rows = tuple((row["contrast"], row["image"], *(f"{row[name]:.1f}" for name in names)) for row in data)
    return Table(
        f"Rendered frames of Au on graphene against direct multislice, size {records[0]['size']}",
        "Blurred frames without noise; the data range is that of the direct image. The movies are rendered "
        "bilinearly between 9 sites.",
        (Grid(("Contrast of an adatom", "Image", *names.values()), rows),),
        (
            "Direct: a probe at every position through a model that holds these adatoms (abTEM), of another size than "
            "the library's, and with abTEM's own detectors.",
        ),
        data,
    )
