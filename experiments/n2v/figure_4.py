"""Noise2Void, Figures 4 and S1: the signal-to-noise ratio of adatoms, and the dip between two of them.

    stemjax experiment run n2v_figure_4 --size cpu

The ratio is that of the adatoms of the unseen movies in the dark-field frame. For the dip, pairs of adatoms exactly
3.4 Å apart are planted: four in a frame, which holds nothing else, eight frames to each test movie with its rotation
and drift, rendered with the library of session a and with noise as always; one adatom near a random site of the lattice
(0.15 Å off, as in the movies), the other in a random direction from it. A dip counts as 200 % at most; since it says
nothing of the adatoms' heights, the height of the one that lost more, relative to the clean frame, stands beside it.

In the paper an adatom's ratio rises from 2 to 3.3 (Gaussian filter), 7.2 (total variation) and 12 (Noise2Void), and the
dip falls from 57 to 28, 14 and 29 %, in frames of a microscope, where the true dip is not known.

Expect at size `cpu` (Noise of 16.4 dB, unseen, ADF adatom SNR): Noisy: 6.1 [6.0, 6.2]; Gaussian filter, paper's: 10.5
[10.3, 10.6]; Total variation, tuned: 50.9 [48.1, 53.4]; Noise2Void: 49.5 [48.9, 50.1].

Expect at size `cpu` (Noise of 16.4 dB, planted pairs, Dip [%]): Clean: 98; Noisy: 111 [110, 112]; Noise2Void: 99
[99, 99].

Reference: Thornley et al., "Noise2Void for Denoising Atomic Resolution STEM Images", Figures 4 and S1.
"""

from dataclasses import dataclass

import jax
import numpy as np

from experiments import n2v
from experiments.movie_methods import BLANK
from experiments.n2v.methods import adatoms, networks_of_levels, sweep
from experiments.n2v.score_table import Column, score_table
from experiments.pictures import displayed
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax.apply.evaluate import ImageSet
from stemjax.data import au_graphene, datasets
from stemjax.data.images import TEST_NOISE, noisy_images
from stemjax.figures import lattice as figures_lattice
from stemjax.metrics.adatoms import adatom_snr, backgrounds
from stemjax.metrics.lattice import polar_vector
from stemjax.metrics.profiles import dip_percent, line_profile, values_at
from stemjax.physics import contrast_library
from stemjax.tables.table import Table

TIMES = {"smoke": "2 min", "cpu": "5 min on 2 cores, beside the trainings", "gpu": "not measured"}
networks = networks_of_levels
APART, JITTER = 3.4, 0.15  # Å
PLANTED = "planted pairs"  # the condition `frames` of their records
DEEPEST = 200.0  # %: of a pair that hardly rises, whose dip can be anything, no more is counted
PAIRS, FRAMES = 4, 8  # pairs in a frame, frames to each movie
BETWEEN, EDGE = 12.0, 5.0  # from pair to pair, and from a pair to the frame's edge [Å]
SHOWN = 5.0  # half of the side of the picture of a pair [Å]


@dataclass(frozen=True)
class Planted:
    """Frames with pairs of adatoms, and the ends of each pair (y, x), float [M, PAIRS, 2, 2] in Å."""

    images: ImageSet
    ends: np.ndarray


def run(size: str, workspace: Workspace) -> None:
    """Score and record ratios and dips of every method at both noise levels; draw the pictures."""
    data = workspace.au_graphene(size)
    for level, rows, methods in sweep(size, workspace, data):
        atoms, conditions = adatoms(data, rows.test), {"input_psnr_db": level}
        planted = plant(data, rows.test.imaging, rows.test.clean.shape[1:3])
        on_pairs = Recorder(size, workspace, data, planted.images)
        clean_snr = _snr(rows.test.clean, rows.test, atoms)
        clean_dips, clean_heights = measure(planted.images.clean, planted)
        drawn = {}
        for method in methods:
            denoised = method.denoise(rows.test)
            extra = [
                {"adf_adatom_snr": snr, "clean_adf_adatom_snr": clean}
                for snr, clean in zip(_snr(denoised, rows.test, atoms), clean_snr, strict=True)
            ]
            method.record(rows, denoised, extra, conditions=conditions | {"frames": "unseen"})
            denoised = method.denoise(planted.images)
            dips, heights = measure(denoised, planted)
            weaker = (heights / clean_heights).min(axis=-1)
            extra = [
                {"adf_dip_percent": dip.mean(), "clean_adf_dip_percent": clean.mean()}
                | {"adf_dip_error_percent": np.abs(dip - clean).mean(), "adf_weaker_height": weak.mean()}
                for dip, clean, weak in zip(dips, clean_dips, weaker, strict=True)
            ]
            method.record(on_pairs, denoised, extra, conditions=conditions | {"frames": PLANTED})
            drawn[method.label] = denoised[0], dips[0]
        _draw(on_pairs, planted, drawn, clean_dips[0], level)


def _snr(frames: np.ndarray, test: ImageSet, atoms: list[np.ndarray]) -> list[float]:
    pairs = zip(frames, atoms, strict=True)
    return [adatom_snr(frame[..., 0], places, test.imaging.sampling) for frame, places in pairs]


def measure(frames: np.ndarray, planted: Planted) -> tuple[np.ndarray, np.ndarray]:
    """Every pair in the dark field: its dip [M, PAIRS] in per cent, 200 at most; and both heights [M, PAIRS, 2].

    A height is that at the true position, above the background.
    """
    sampling, dips, heights = planted.images.imaging.sampling, [], []
    for frame, ends in zip(frames[..., 0], planted.ends, strict=True):
        mean = backgrounds(frame, ends.reshape(-1, 2), sampling)[0].reshape(-1, 2).mean(axis=1)
        dips.append([dip_percent(frame, sampling, *pair, level) for pair, level in zip(ends, mean, strict=True)])
        heights.append(values_at(frame, ends, sampling) - mean[:, None])
    return np.minimum(dips, DEEPEST), np.array(heights)


# ---------------------------------------------------------------------------------------------------- planting
def plant(data: datasets.DataSet, imaging: au_graphene.GrapheneImaging, pixels: tuple[int, int]) -> Planted:
    """Frames of pairs in the geometry of the test movies: rotation, blur, library, and the drift of their frames."""
    libraries = au_graphene.read_libraries(
        data, [data.manifest["frame"]["channels"].index(c) for c in imaging.channels]
    )
    chosen = n2v.Frames(session=("a",), per_unit=FRAMES).images(data, "test")
    drift = au_graphene.read_motion(data, chosen)[2]
    view, frame = (
        jax.jit(contrast_library.view, static_argnames="sampling"),
        jax.jit(contrast_library.frame, static_argnames="pixels"),
    )
    clean, ends = [], []
    for row, item in enumerate(chosen.item):
        movie, generator = data.items[item], np.random.default_rng([row, 34])
        library, rotation = libraries[movie["setting"]], movie["rotation_deg"]
        seen = view(library, rotation, movie["blur_fwhm_angstrom"], imaging.sampling)
        ends.append(_pairs(generator, library, rotation, drift[row], pixels, imaging.sampling))
        positions = ends[-1].reshape(-1, 2).astype(np.float32)
        clean.append(np.asarray(frame(seen, positions, np.ones(2 * PAIRS, bool), drift[row], pixels)))
    noisy = noisy_images(np.stack(clean), imaging, TEST_NOISE)
    names = [f"{name}-pairs" for name in chosen.names(data)]
    return Planted(ImageSet(np.stack(clean), noisy, chosen, names, imaging), np.stack(ends))


def _pairs(generator, library: contrast_library.Library, rotation: float, drift, pixels, sampling: float) -> np.ndarray:
    """Ends (y, x) of the pairs of one frame, [PAIRS, 2, 2] in Å."""
    step = np.array([(0, library.cell[1]), (library.cell[0] / 2, library.cell[1] / 2)]) / 3  # of the grid of sites
    low, high = EDGE, (np.array(pixels) - 1) * sampling - EDGE
    pairs: list[np.ndarray] = []
    while len(pairs) < PAIRS:
        place = np.asarray(contrast_library.to_lattice(generator.uniform(low, high), rotation, drift))
        site = np.rint(place @ np.linalg.inv(step)) @ step
        one = np.asarray(contrast_library.to_frame(site, rotation, drift)) + generator.normal(0, JITTER, 2)
        pair = np.stack([one, one + polar_vector(APART, generator.uniform(0, 360))])
        is_apart = all(np.linalg.norm(pair.mean(0) - other.mean(0)) >= BETWEEN for other in pairs)
        if is_apart and (pair > low).all() and (pair < high).all():
            pairs.append(pair)
    return np.stack(pairs)


# ---------------------------------------------------------------------------------------------------- picture
def _draw(rows: Recorder, planted: Planted, drawn: dict[str, tuple], clean: np.ndarray, level: float) -> None:
    """Two pairs of the first frame and the profiles through them."""
    sampling, frames = rows.test.imaging.sampling, {"Clean": (rows.test.clean[0], clean)}
    frames |= {name: drawing for name, drawing in drawn.items() if name != BLANK}
    parts = {}
    for number in range(2):
        one, other = planted.ends[0, number]
        along = other - one
        angle, before = np.rad2deg(np.arctan2(*along)), 1.6
        start = one - polar_vector(before, angle)
        corner = np.maximum((planted.ends[0, number].mean(0) - SHOWN) // sampling, 0).astype(int)
        side = int(2 * SHOWN / sampling)
        panels = []
        for label, (frame, dips) in frames.items():
            distance, values = line_profile(frame[..., 0], sampling, start, angle, APART + 2 * before)
            cut = frame[corner[0] : corner[0] + side, corner[1] : corner[1] + side, 0]
            ends = tuple(
                (start + polar_vector(length, angle)) / sampling - corner for length in (0.0, APART + 2 * before)
            )
            image, values = (displayed(part, "adf") for part in (cut, values))
            panels.append(
                figures_lattice.ProfilePanel(label, image, ends, distance, values, f"dip {dips[number]:.0f} %")
            )
        parts[f"Pair {number + 1}, ADF, square root"] = panels
    path = rows.picture(f"{level:g}db")
    figures_lattice.profiles(parts, path, sampling=sampling)


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Signal-to-noise ratio of adatoms, and the dip between two."""
    ratio = Column("adf_adatom_snr", "ADF adatom SNR", ".1f", "snr_adatom_adf", True)
    dip = Column("adf_dip_percent", "Dip [%]", ".0f", "dip_between_adatoms_0p34nm_percent", True)
    error, psnr = (
        Column("adf_dip_error_percent", "Mean |dip - clean dip| [%]", ".0f"),
        Column("adf_psnr_db", "ADF PSNR [dB]"),
    )
    weaker = Column("adf_weaker_height", "Height of the weaker")
    parts = [("unseen", [ratio, psnr]), ("planted pairs", [dip, error, weaker, psnr])]
    pairs = [record for record in records if record["conditions"]["frames"] == "planted pairs"]
    notes = (
        "SNR: an adatom's height above its background over the standard deviation of that background, which holds the "
        "lattice too; a method that wipes out noise and lattice alike, or makes adatoms sharper than they are, scores "
        "above the clean frame.",
        f"Dip: of pairs 3.4 Å apart, four in each of {pairs[0]['images']} frames that hold nothing else. 100 % is the "
        "background between the two; noise can make it deeper (counted up to 200 %); a pair that does not rise above "
        "its background has 0. What counts is how near a dip is to the clean one of the same pair, and whether both "
        "adatoms are there: the height of the one that lost more, over its height in the clean frame.",
        "Published figures are of recordings, whose true dip is not known, and for which the paper gives no formulas.",
    )
    return score_table("Figures 4 and S1", records, scores, parts, notes)
