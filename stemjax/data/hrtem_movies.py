"""Simulated HRTEM movies: rendered from exit waves when asked for, recorded by a detector, cut into clips.

    exit wave of the frame's state -> drift, a phase factor -> optics -> the frame's window -> counts -> detector

`images.Frames` chooses the frames (``session=()``), `crops.ClipCrops` cuts batches. The noise belongs to the
recording: a frame has the same whoever asks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.data.crops import ClipCrops
from stemjax.data.datasets import DataSet, decode_waves
from stemjax.data.images import RECORDING_NOISE, Frames, Images
from stemjax.data.kind import Kind
from stemjax.data.micrographs import VACUUM_COUNTS
from stemjax.physics.noise import Poisson, PoissonGaussian
from stemjax.physics.optics import Band, Optics, image

COUNTS, EIGHT_BIT = "counts", "8-bit"


# ---------------------------------------------------------------------------------------------------- images
@dataclass(frozen=True)
class HrtemImaging:
    """How the exit waves of a movie become frames. `IMAGING` has one for each kind of movie.

    Parameters
    ----------
    counts : float
        Mean electrons per pixel and frame of vacuum.
    noise : Poisson or PoissonGaussian
        The detector: one that counts, or one that integrates, whose readings are in camera units.
    optics : Optics
    units : {"counts", "8-bit"}
        Readings of the detector, or these as exported to 0 to 255: times one factor for the movie, which makes its
        largest reading 255. Nothing is rounded, which changes no reading of a counting detector that is below 255.
    """

    counts: float = 0.12
    noise: Poisson | PoissonGaussian = field(default_factory=Poisson)
    optics: Optics = field(default_factory=Optics)
    units: str = COUNTS

    protocol: ClassVar[str] = "movie"
    channels: ClassVar[tuple[str, ...]] = ("image",)

    def __post_init__(self):
        if self.units not in (COUNTS, EIGHT_BIT):
            raise ValueError(f"units {self.units!r} are not known: choose {COUNTS!r} or {EIGHT_BIT!r}")

    def contract(self, clamp: bool = True) -> dict:
        """How `metrics.image.score` is to compare two frames; `metrics.image.contracts` adds each movie's range."""
        return {"protocol": self.protocol}

    def clean_images(self, data: DataSet, images: Images) -> np.ndarray:
        """The expected readings, float32 [M, H, W, 1]."""
        return np.concatenate([clean for clean, _ in self._movies(data, images)])

    def noisy_images(self, data: DataSet, images: Images) -> np.ndarray:
        """The frames as recorded, float32 [M, H, W, 1]."""
        return np.concatenate([noisy for _, noisy in self._movies(data, images)])

    def device_arrays(self, data: DataSet, images: Images) -> dict:
        """What `crops.ClipCrops.batch` draws from: ``noisy`` float32 [N, T, H, W, 1], the chosen frames of N movies.

        Raises
        ------
        ValueError
            If the movies are not equally long.
        """
        movies = [noisy for _, noisy in self._movies(data, images)]
        if len(lengths := {len(movie) for movie in movies}) > 1:
            raise ValueError(f"{data.folder}: movies of {sorted(lengths)} frames; choose as many of each")
        return {"noisy": jnp.asarray(np.stack(movies))}

    def _movies(self, data: DataSet, images: Images) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Clean and noisy frames, movie by movie in the order of the list."""
        for rows in images.by_item():
            item, frames = int(images.item[rows[0]]), images.frame[rows]
            # The factor of an export is that of the whole movie, whichever frames are wanted.
            needed = np.arange(data.items[item]["frames"]) if self.units == EIGHT_BIT else frames
            counts = self.counts * render(data, item, needed, self.optics)[..., None]
            pairs = zip(counts, needed, strict=True)
            noisy = np.stack([_record(clean, item, frame, self.noise) for clean, frame in pairs])
            clean = self._expected(counts)
            if self.units == EIGHT_BIT:
                factor = np.float32(255 / noisy.max())
                clean, noisy = factor * clean[frames], factor * noisy[frames]
            yield clean, noisy

    def _expected(self, counts: np.ndarray) -> np.ndarray:
        if isinstance(self.noise, PoissonGaussian):
            return self.noise.gain * counts + self.noise.offset
        return counts


IMAGING = {
    "pt": HrtemImaging(counts=0.12),
    "au": HrtemImaging(counts=1.2),  # readings of 0 to 5
    "co": HrtemImaging(counts=20.0, noise=PoissonGaussian(gain=16.0, offset=100.0, read_noise=10.0)),  # 100 to 1000
    "sbd": HrtemImaging(counts=VACUUM_COUNTS),
}


def render(data: DataSet, item: int, frames: np.ndarray, optics: Optics) -> np.ndarray:
    """Intensities of some frames of a movie, relative to the incident beam, float32 [M, H, W].

    Raises
    ------
    OSError
        If a frame has no row in the data set.
    """
    movie, described = data.items[item], data.manifest["frame"]
    motion = np.asarray(data.array("frames.npy"))
    motion = motion[motion["item"] == item]
    place = {int(frame): row for row, frame in enumerate(motion["frame"])}
    if missing := [frame for frame in np.asarray(frames).tolist() if frame not in place]:
        raise OSError(f"{data.folder}/frames.npy: has no frame {missing[0]} of {movie['id']}; simulate it again")
    motion = motion[[place[frame] for frame in np.asarray(frames).tolist()]]
    waves = decode_waves(data.array(movie["shard"])[:])
    if not np.isfinite(waves).all():
        raise OSError(f"{data.folder}: an exit wave holds NaN or Inf; run `stemjax verify` on the folder")
    cell_pixels = round(data.band.cell / described["sampling_angstrom"])
    drift = np.stack([motion["drift_y_angstrom"], motion["drift_x_angstrom"]], axis=-1)
    defocus, window = np.float32(movie["defocus_angstrom"]), tuple(movie["window"])
    return np.stack(
        [
            _frame(waves[row["wave"]], defocus, shift, data.band, optics, cell_pixels, window, described["pixels"])
            for row, shift in zip(motion, drift, strict=True)
        ]
    )


@partial(jax.jit, static_argnames=("band", "optics", "cell_pixels", "pixels"))
def _frame(
    wave: jax.Array,
    defocus: jax.Array,
    drift: jax.Array,
    band: Band,
    optics: Optics,
    cell_pixels: int,
    window: tuple[int, int],
    pixels: int,
) -> jax.Array:
    """The frame [pixels, pixels] of an exit wave [K] that is displaced by the drift (y, x) [Å].

    A displacement d is exp(-2 pi i k d) on the coefficients of the wave: nothing is interpolated.
    """
    turns = jnp.asarray(band.indices, jnp.float32) @ (drift / band.cell)
    angle = -2 * jnp.pi * turns
    intensity = image(wave * jax.lax.complex(jnp.cos(angle), jnp.sin(angle)), defocus, band, optics, cell_pixels)
    return jax.lax.dynamic_slice(intensity, window, (pixels, pixels))


@partial(jax.jit, static_argnames="noise")
def _record(counts: jax.Array, item: int, frame: int, noise: Poisson | PoissonGaussian) -> jax.Array:
    """A frame [H, W, 1] as the detector reads it, with noise that depends on the movie and the frame alone."""
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(RECORDING_NOISE), item), frame)
    return noise.sample(key, counts)


_ABOUT = {
    "pt": "HRTEM movies of Pt nanoparticles on CeO2 whose surface changes, with known drift: exit waves of the "
    "states of every movie by multislice, and the state and place of every frame.",
    "au": "HRTEM movies of Au nanoparticles on amorphous carbon, with known drift: exit waves by multislice, "
    "and the state and place of every frame.",
    "co": "HRTEM movies of Co nanoparticles on CeO2, with known drift: exit waves by multislice, and the state "
    "and place of every frame.",
    "sbd": "HRTEM movies of a Pt nanoparticle on CeO2 that stands still and does not change, as in the movie of "
    "the SBD paper: exit waves by multislice.",
}
KINDS = tuple(
    Kind(
        f"movies-{movies}",
        IMAGING[movies],
        Frames(session=()),
        ClipCrops(),
        "readings of the camera",
        about,
        f"movies {movies}",
        "hrtem_movies",
        {"kind": movies},
    )
    for movies, about in _ABOUT.items()
)
