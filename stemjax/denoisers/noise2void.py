"""Noise2Void: a network learns from noisy images alone to predict pixels that it is not shown.

    minimise  sum over channels c of  mean over masked pixels p of  (f(masked image)[p, c] - noisy[p, c])^2

In the masked image each masked pixel has another value, made from its surroundings. Noise that is independent from
pixel to pixel cannot be predicted from there, so the best prediction is the expected image.

References
----------
Krull, Buchholz, Jug, "Noise2Void - learning denoising from single noisy images", CVPR 2019.
Thornley et al., "Noise2Void for Denoising Atomic Resolution Scanning Transmission Electron Microscopy Images".
Höck, Buchholz, Brachmann, Jug, Freytag, "N2V2 - fixing Noise2Void checkerboard artifacts with modified sampling
strategies and a tweaked network architecture", ECCV Workshops 2022 (the median).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.networks.noise2void import keep_signal

OFFSETS, FILLS = ("random", "none"), ("mean", "median", "neighbour")


@dataclass(frozen=True)
class Noise2Void:
    """A network trained on masked pixels of noisy images, all channels masked at the same places.

    Images are normalised per channel: their mean is subtracted, the rest divided by four standard deviations.

    Parameters
    ----------
    network : flax.linen.Module
        float32 [B, H, W, C] -> [B, H, W, C].
    pitch, jitter : int
        Masked pixels lie on a square grid of pitch + jitter pixels, each displaced by up to `jitter` in both
        directions. One pixel in (pitch + jitter)² is masked.
    offset : {"random", "none"}
        Move the whole grid at random, so that every pixel is masked equally often, and displace by -jitter..jitter; or
        the paper's grid, which begins in the corner, leaves out what is nearer than one step to the border, and
        displaces by -jitter..jitter - 1.
    fill : {"mean", "median", "neighbour"}
        What a masked pixel becomes: mean or median of each channel in a window around it, or the pixel at a random
        place of the window.
    window : int
        Side of that window [px]; rows r - window // 2 and on, so that an even one reaches one pixel further back.
    strong_start : bool
        Begin with weights that keep the signal instead of PyTorch's, which let it fade; see `keep_signal`. For short
        trainings of an `N2VUNet`.
    precision : str
        Type that the network computes in, such as "bfloat16"; parameters and loss stay in float32.

    Notes
    -----
    The fill leaves out all masked pixels of the window, not the middle alone: in a dense grid a masked pixel would
    otherwise be seen through the fill of another. The authors' code divides the window's sum by window² - B C, B images
    of C channels in a batch, instead of the window² - 1 pixels that it added. It draws the grid once per run, later
    once per epoch; here every batch has its own. The loss is theirs: the channels' mean squared errors added up.
    """

    network: Any
    pitch: int = 24
    jitter: int = 2
    offset: str = "random"
    fill: str = "mean"
    window: int = 22
    strong_start: bool = False
    precision: str = "float32"

    name: ClassVar[str] = "noise2void"
    self_supervised: ClassVar[bool] = True

    def __post_init__(self):
        for field, value, allowed in (("offset", self.offset, OFFSETS), ("fill", self.fill, FILLS)):
            if value not in allowed:
                raise ValueError(f"{field} {value!r} is not one of {', '.join(map(repr, allowed))}")
        if self.pitch < 1 or not 0 <= self.jitter < self.pitch or self.window < 3:
            raise ValueError(
                f"pitch {self.pitch}, jitter {self.jitter}, window {self.window}: "
                "jitter must be smaller than pitch, and the window at least 3 pixels"
            )

    def init(self, key: jax.Array, sample: jax.Array) -> dict:
        """Variables (the collection `params`) for images like `sample`."""
        params = self.network.init(key, sample)["params"]
        return {"params": keep_signal(params) if self.strong_start else params}

    def prepare(self, variables: dict, noisy: jax.Array) -> dict:
        """Store offset and scale per channel, [1, 1, 1, C], of images or the frames of a movie [B, H, W, C]."""
        return variables | {"normalisation": normalisation(noisy, axes=(0, 1, 2))}

    def prepare_movie(self, variables: dict, frames: Iterable[np.ndarray]) -> dict:
        """As `prepare`, for a movie of any length whose frames [H, W, C] come one by one."""
        return variables | {"normalisation": movie_normalisation(frames)}

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Denoised images [B, H, W, C], in the unit of the noisy ones; not prepared, each has its own normalisation."""
        norm = variables.get("normalisation") or normalisation(noisy, axes=(1, 2))
        return self._predict(variables, (noisy - norm["offset"]) / norm["scale"]) * norm["scale"] + norm["offset"]

    def loss(self, variables: dict, batch: dict, key: jax.Array) -> tuple[jax.Array, tuple[dict, dict]]:
        """Squared error at the masked pixels of ``batch["noisy"]`` [B, H, W, C], in units of the scale squared.

        ``batch["offset"]`` and ``batch["scale"]``, which broadcast against it, are the movies' normalisation; without
        them each image has its own. Where there is ``batch["targets"]`` [B, H, W, 1], only its pixels count.

        Returns
        -------
        (loss, (new_state, measurements))
        """
        norm = batch if "scale" in batch else normalisation(batch["noisy"], axes=(1, 2))
        noisy = (batch["noisy"] - norm["offset"]) / norm["scale"]
        masked, mask = self._masked(key, noisy)
        counted = mask & jnp.asarray(batch.get("targets", True), bool) & jnp.ones((len(noisy), 1, 1, 1), bool)
        squared = jnp.where(counted, (self._predict(variables, masked) - noisy) ** 2, 0)
        loss = squared.sum() / jnp.maximum(counted.sum(), 1)
        return loss, ({}, {"loss": loss})

    def _masked(self, key: jax.Array, noisy: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The images [B, H, W, C] as the network sees them in training, and the mask [H, W, 1] that they share."""
        grid_key, fill_key = jax.random.split(key)
        rows, columns = self._grid(grid_key, *noisy.shape[1:3])
        mask = jnp.zeros(noisy.shape[1:3], bool).at[rows, columns].set(True, mode="drop")
        values = self._filling(fill_key, noisy, mask, rows, columns)
        return noisy.at[:, rows, columns].set(values, mode="drop"), mask[..., None]

    def _grid(self, key: jax.Array, height: int, width: int) -> tuple[jax.Array, jax.Array]:
        """Rows and columns [N] of the masked pixels; the row `height` stands for one that fell outside the image.

        Raises
        ------
        ValueError
            If the paper's grid has no place in so small an image.
        """
        step, jitter = self.pitch + self.jitter, self.jitter
        offset_key, jitter_key = jax.random.split(key)
        if self.offset == "random":
            # All points that may come to lie inside: from -jitter to size - 1 + jitter.
            counts = [-(-(n + 2 * jitter) // step) for n in (height, width)]
            first = jax.random.randint(offset_key, (2,), -jitter, step - jitter)
            shift = jax.random.randint(jitter_key, (2, *counts), -jitter, jitter + 1)
        else:
            counts = [n // step - 1 for n in (height, width)]
            if min(counts) < 1:
                raise ValueError(
                    f"a grid of {step} pixels that leaves out the border needs images of {2 * step} pixels, not "
                    f"{height} x {width}: make the pitch smaller or the offset random"
                )
            first = jnp.array([step, step])
            shift = jax.random.randint(jitter_key, (2, *counts), -jitter, jitter) if jitter else 0
        points = step * jnp.stack(jnp.meshgrid(*map(jnp.arange, counts), indexing="ij"))
        rows, columns = (points + first[:, None, None] + shift).reshape(2, -1)
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        return jnp.where(inside, rows, height), jnp.where(inside, columns, width)

    def _filling(self, key, noisy, mask, rows, columns) -> jax.Array:
        """New values [B, N, C] of the pixels at rows and columns [N], from the windows of these pixels alone."""
        height, width = mask.shape
        reach = jnp.arange(self.window) - self.window // 2
        y, x = rows[:, None, None] + reach[:, None], columns[:, None, None] + reach
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        y, x = jnp.clip(y, 0, height - 1), jnp.clip(x, 0, width - 1)
        usable = (inside & ~mask[y, x]).reshape(len(rows), -1)
        values = noisy[:, y, x].reshape(len(noisy), *usable.shape, noisy.shape[-1])
        count = usable.sum(-1)
        usable = usable[..., None]
        if self.fill == "mean":
            return jnp.where(usable, values, 0).sum(2) / jnp.maximum(count, 1)[:, None]
        if self.fill == "median":
            ordered = jnp.sort(jnp.where(usable, values, jnp.inf), axis=2)
            middle = jnp.stack([(count - 1) // 2, count // 2], -1)[None, :, :, None]
            median = jnp.take_along_axis(ordered, jnp.maximum(middle, 0), 2).mean(2)
            return jnp.where(count[:, None] > 0, median, 0)
        rank = (jax.random.uniform(key, values.shape[:2]) * count).astype(count.dtype)
        chosen = jnp.argmax(jnp.cumsum(usable[..., 0], -1) > rank[..., None], -1)
        picked = jnp.take_along_axis(values, chosen[..., None, None], 2)[:, :, 0]
        return jnp.where(count[:, None] > 0, picked, 0)

    def _predict(self, variables: dict, images: jax.Array) -> jax.Array:
        cast = images if self.precision == "float32" else images.astype(self.precision)
        output = self.network.apply({"params": variables["params"]}, cast).astype(images.dtype)
        if output.shape != images.shape:
            raise ValueError(
                f"a network of {output.shape[-1]} channels was given images of {images.shape[-1]}: choose "
                "the network's channels_out and the channels of the imaging alike"
            )
        return output


def normalisation(noisy: jax.Array, axes: tuple[int, ...]) -> dict[str, jax.Array]:
    """``offset``, the mean, and ``scale``, four standard deviations, over axes of images [B, H, W, C], kept as 1.

    Where an image is constant the scale is 1.
    """
    deviation = jnp.std(noisy, axes, keepdims=True)
    return {
        "offset": jnp.mean(noisy, axes, keepdims=True),
        "scale": jnp.where(deviation > 0, 4 * deviation, 1),
    }


def movie_normalisation(frames: Iterable[np.ndarray]) -> dict[str, jax.Array]:
    """``offset`` and ``scale`` [1, 1, 1, C] over all frames [H, W, C] of a movie, which come one by one."""
    moments = [(frame.mean((0, 1), np.float64), frame.var((0, 1), np.float64)) for frame in frames]
    means, variances = (np.array(values) for values in zip(*moments, strict=True))
    deviation = np.sqrt(variances.mean(0) + means.var(0))
    norm = {"offset": means.mean(0), "scale": np.where(deviation > 0, 4 * deviation, 1)}
    return {name: jnp.asarray(values[None, None, None]) for name, values in norm.items()}
