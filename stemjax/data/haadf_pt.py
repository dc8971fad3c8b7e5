"""Simulated HAADF movies of platinum atoms and clusters on amorphous carbon, rendered when asked for.

A frame is a Fourier series on a periodic canvas, a little larger than what is shown of it:

    I^(g) = B(g) [c^(g) sum_i w(n_i) exp(-2πi g·r_i) + exp(-2πi g·d) sqrt(P(g)) η^(g)] + mean

with the contrast c of one Pt atom, the gain w of a column of n_i atoms at r_i, the power spectrum P of the film, which
lies at d and whose grains are a Gaussian random field (η is white noise, one for every movie), and the Gaussian source
B. Nothing is interpolated. c, w and P come from multislice (`simulation.haadf`).

`images.Frames` chooses the frames, by ``session`` "film-20nm" or "film-50nm"; `crops.MovieCrops` cuts batches.
Images are [H, W, 1], fractions of the incident beam.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import j0

from stemjax.data.crops import MovieCrops, with_statistics
from stemjax.data.datasets import DataSet
from stemjax.data.images import RECORDING_NOISE, Frames, Images
from stemjax.data.kind import Kind
from stemjax.physics.camera import displace_lines
from stemjax.physics.noise import Dose

FILM, SCAN, DIRECTION = 2_000_003, 2_000_029, 2_000_039  # seeds: grains of films, errors of scans, their gradients


@dataclass(frozen=True)
class HaadfImaging:
    """Frames of a HAADF detector, as fractions of the incident beam, with recorded noise.

    Parameters
    ----------
    noise : Dose
        Of the recording, and of test images. 150 electrons per pixel of 0.3 Å are 10 pA for 2.4 µs.
    gradient : float
        Rise of the background across a frame, in parts of the film's mean; its direction is that of the movie. The
        clean frames have it too, since it is part of what the detector is to read.
    scan_noise : float
        Standard deviation of the place at which a line starts [px]; each line is displaced as a whole. The clean
        frames do not have it.
    channels : tuple of str
        Of those that the data set has.
    """

    noise: Dose = field(default_factory=lambda: Dose(150.0))
    gradient: float = 0.0
    scan_noise: float = 0.0
    channels: tuple[str, ...] = ("haadf",)

    protocol: ClassVar[str] = "stem"

    def contract(self, clamp: bool = True) -> dict:
        """How `metrics.image.score` is to compare two images; nothing is clamped."""
        return {"protocol": self.protocol}

    def device_arrays(self, data: DataSet, images: Images) -> dict:
        """What `crops.MovieCrops` draws from.

        Returns
        -------
        dict
            ``noisy``, ``clean`` float32 [M, H, W, 1]; ``offset``, ``scale`` float32 [M, 1, 1, 1]: mean and 4 standard
            deviations of all the chosen noisy frames of the same movie.
        """
        clean, noisy = (jnp.concatenate(frames) for frames in zip(*self._render(data, images), strict=True))
        return with_statistics(noisy, images.item) | {"clean": clean}

    def clean_images(self, data: DataSet, images: Images) -> np.ndarray:
        """The frames without noise, float32 [M, H, W, 1]."""
        return np.concatenate([np.asarray(clean) for clean, _ in self._render(data, images)])

    def noisy_images(self, data: DataSet, images: Images) -> np.ndarray:
        """The frames as recorded, float32 [M, H, W, 1]."""
        return np.concatenate([np.asarray(noisy) for _, noisy in self._render(data, images)])

    def _render(self, data: DataSet, images: Images) -> Iterator[tuple[jax.Array, jax.Array]]:
        """Clean and noisy frames, those of one movie at a time and in the order of the list."""
        described = data.manifest["frame"]
        if missing := set(self.channels) - set(described["channels"]):
            raise ValueError(f"{data.folder}: no channel {sorted(missing)[0]!r}; it has {described['channels']}")
        canvas = (described["pixels"], described["margin"], described["sampling_angstrom"])
        motion = read_columns(data, images)
        for rows in images.by_item():
            item = int(images.item[rows[0]])
            contrast, gains, grain, mean = library(data, item)
            columns, counts, drift = (values[rows] for values in motion)
            film = _film(jax.random.fold_in(jax.random.key(FILM), item), grain)
            weights = np.append(0, gains)[np.minimum(counts, len(gains))].astype(np.float32)
            clean = _frames(columns, weights, drift, contrast, film, mean, self.gradient, item, canvas)
            yield clean, _record(clean, item, images.frame[rows], self.noise, self.scan_noise)


# ---------------------------------------------------------------------------------------------------- what is stored
def library(data: DataSet, item: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.float32]:
    """Contrast, gains and film of one movie.

    Returns
    -------
    contrast : float32 [N, N // 2 + 1]
        Fourier coefficients of one Pt atom behind the source, on the canvas of N pixels, as `numpy.fft.rfft2` has them.
    gains : float64 [columns]
        Brightness of columns of 1, 2, ... atoms, relative to one atom.
    grain : float32 [N, N // 2 + 1]
        Amplitudes sqrt(P) B that turn white noise into the film's grains.
    mean : float32
        Of the film, fraction of the incident beam.
    """
    movie, described, stored = data.items[item], data.manifest["frame"], data.manifest["library"]
    sampling, pixels = described["sampling_angstrom"], described["pixels"] + 2 * described["margin"]
    g = np.hypot(np.fft.fftfreq(pixels, sampling)[:, None], np.fft.rfftfreq(pixels, sampling))
    sigma = movie["blur_fwhm_angstrom"] / np.sqrt(8 * np.log(2))
    blur = np.exp(-2 * (np.pi * sigma * g) ** 2)
    profiles = np.asarray(data.array("contrast.npy"), np.float64)
    radius = stored["step_angstrom"] * np.arange(profiles.shape[1])
    rings = 2 * np.pi * stored["step_angstrom"] * radius
    rings[0] = np.pi / 6 * stored["step_angstrom"] ** 2  # the rule of Euler and Maclaurin for a profile that has a peak
    table = np.linspace(0, g.max(), 512)
    contrast = np.interp(g, table, j0(2 * np.pi * table[:, None] * radius) @ (rings * profiles[0])) * blur / sampling**2
    source = rings * np.exp(-(radius**2) / (2 * sigma**2))
    power = data.array("background.npy")[movie["setting"]]
    grain = np.sqrt(np.interp(g, stored["frequency_step"] * np.arange(len(power)), power)) / sampling * blur
    gains = profiles @ source / (profiles[0] @ source)
    return (
        contrast.astype(np.float32),
        gains,
        grain.astype(np.float32),
        np.float32(stored["film_mean"][movie["setting"]]),
    )


def read_columns(data: DataSet, images: Images) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns of Pt and drift of every frame of a list.

    Returns
    -------
    columns : float32 [M, N, 2]
        (y, x) in the frame [Å]; N is that of the data set's fullest frame.
    counts : int [M, N]
        Atoms in each; 0 where there is no column.
    drift : float32 [M, 2]
        Of the film (y, x) [Å].

    Raises
    ------
    OSError
        If a frame has no row in the data set.
    """
    truth, frames = np.asarray(data.truth), np.asarray(data.array("frames.npy"))
    place = {(int(row["item"]), int(row["frame"])): row for row in frames}
    _, fullest = np.unique(truth[["item", "frame"]], return_counts=True)
    columns = np.zeros((len(images), fullest.max(initial=1), 2), np.float32)
    counts, drift = np.zeros(columns.shape[:2], int), np.zeros((len(images), 2), np.float32)
    for index, (item, frame) in enumerate(zip(images.item.tolist(), images.frame.tolist(), strict=True)):
        if (item, frame) not in place:
            name = images.names(data)[index]
            raise OSError(f"{data.folder}/frames.npy: has no {name}; simulate the data set again")
        drift[index] = [place[item, frame][f"drift_{axis}_angstrom"] for axis in "yx"]
        rows = truth[(truth["item"] == item) & (truth["frame"] == frame)]
        columns[index, : len(rows)] = np.stack([rows["y_angstrom"], rows["x_angstrom"]], axis=-1)
        counts[index, : len(rows)] = rows["count"]
    return columns, counts, drift


# ---------------------------------------------------------------------------------------------------- rendering
@jax.jit
def _film(key: jax.Array, grain: jax.Array) -> jax.Array:
    """The film's grains as Fourier coefficients complex64 [N, N // 2 + 1]: white noise times their amplitudes."""
    pixels = grain.shape[0]
    return jnp.fft.rfft2(jax.random.normal(key, (pixels, pixels))) * grain.at[0, 0].set(0.0)


@partial(jax.jit, static_argnames="canvas")
def _frames(columns, weights, drift, contrast, film, mean, gradient, item, canvas: tuple[int, int, float]) -> jax.Array:
    """Clean frames float32 [T, H, W, 1] of columns [T, N, 2] (y, x) [Å] of brightness `weights` [T, N]."""
    pixels, margin, sampling = canvas
    side = pixels + 2 * margin
    ky, kx = np.fft.fftfreq(side, sampling).astype(np.float32), np.fft.rfftfreq(side, sampling).astype(np.float32)
    angle = jax.random.uniform(jax.random.fold_in(jax.random.key(DIRECTION), item), maxval=2 * np.pi)
    across = (np.arange(pixels, dtype=np.float32) - (pixels - 1) / 2) / pixels
    ramp = mean * (1 + gradient * (jnp.sin(angle) * across[:, None] + jnp.cos(angle) * across))

    def waves(frequency, place):  # at the whole turns nothing is lost: float32 keeps few decimals of a large phase
        turns = frequency * place[..., None]
        turns = -2 * jnp.pi * (turns - jnp.round(turns))
        return jax.lax.complex(jnp.cos(turns), jnp.sin(turns))

    def frame(seen):
        columns, weights, drift = seen
        place = columns + margin * sampling
        rows = waves(ky, place[:, 0]) * weights[:, None]
        atoms = jnp.einsum("ny,nx->yx", rows, waves(kx, place[:, 1]), precision=jax.lax.Precision.HIGHEST)
        series = contrast * atoms + film * waves(ky, drift[0])[:, None] * waves(kx, drift[1])
        image = jnp.fft.irfft2(series, (side, side))[margin : margin + pixels, margin : margin + pixels]
        return (image + ramp)[..., None]

    return jax.lax.map(frame, (columns, weights, drift))


@partial(jax.jit, static_argnames=("noise", "scan_noise"))
def _record(clean: jax.Array, item: int, frame: jax.Array, noise: Dose, scan_noise: float) -> jax.Array:
    """Frames [T, H, W, 1] as recorded: their errors depend on the movie and the frame alone."""

    def draw(clean, frame):
        if scan_noise:
            clean = displace_lines(clean, scan_noise * _normal(SCAN, item, frame, clean.shape[0]))
        return noise.sample(_key(RECORDING_NOISE, item, frame), clean)

    return jax.vmap(draw)(clean, frame)


def _key(seed: int, item: jax.Array, frame: jax.Array) -> jax.Array:
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), item), frame)


def _normal(seed: int, item: jax.Array, frame: jax.Array, count: int) -> jax.Array:
    return jax.random.normal(_key(seed, item, frame), (count,))


KINDS = (
    Kind(
        "haadf-pt",
        HaadfImaging(),
        Frames(session=()),
        MovieCrops(),
        "fraction of the incident beam",
        "HAADF STEM movies of Pt atoms and clusters that move on amorphous carbon: a contrast library by multislice "
        "and positions of the atoms, from which frames are rendered.",
        "haadf-pt",
        "haadf_pt",
    ),
)
