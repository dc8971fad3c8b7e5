"""Blind denoising: one network for images of any dose and any unit, which takes the noise from the image itself.

    z = (y - m) / s,   g = max(rms of z, 1),   z_hat = (1 - w) z + c f(z / g, 1 / g),   denoised = s z_hat + m

with mean m and noise s of the image y, ``w = min(1, (2 / g)^2)`` and ``c = sqrt(1 - 1 / g^2)``, at least 0.1. Where
there is hardly more than noise (g < 2) the network predicts the image, as large as the signal can be; the clearer the
image, the more it only corrects it, so that it leaves alone what it does not know.

    minimise  mean over images of  log(e / v + 1e-3),   v between 1e-3 and 1

with the mean squared error e and the variance v of the clean image, both in units of s^2: every dose counts alike.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.networks import N2VUNet
from stemjax.networks.noise2void import keep_signal

FAR = 10.0  # root mean squares beyond which a pixel counts in mean and spread as if it were there
ROUNDS = 6  # of leaving out what is far, each a tenth as far off as the one before
FAULT, SHARED = 16.0, 0.25  # a fault is so many root mean squares off, and most neighbours by less than this part of it
CORNER = 0.32  # cycles per pixel, in both directions, beyond which images hold hardly anything but noise
SEEN = 20.0  # largest value that the network is shown
LEAST = 1e-4  # noise, in parts of the spread, of an image that has none


@dataclass(frozen=True)
class Blind:
    """A network for images of any dose, gain and offset; nothing has to be said about the noise.

    Parameters
    ----------
    network : N2VUNet
        float32 [B, H, W, 2], the image and its noise level, -> [B, H, W, 1].
    precision : {"float32", "bfloat16"}
        Type that the network computes in; parameters, statistics and loss stay in float32.

    Notes
    -----
    ``f(a y + b) = a f(y) + b`` for every a > 0, and a constant image comes back as it is. Noise has to be independent
    from pixel to pixel: a camera that spreads an electron over several pixels makes the estimate of s too small, so sum
    the counts of 2 x 2 pixels first.

    A pixel that is 16 root mean squares away from m, while at most two of its eight neighbours are off to the same side
    by a quarter of that, is taken for hot, dead or hit by a cosmic ray and replaced by their median: no microscope
    draws so sharply. Milder faults are left to the network. It is blind to the noise, not, as blind-spot networks are,
    to a pixel.
    """

    network: N2VUNet
    precision: str = "float32"

    name: ClassVar[str] = "blind"

    def init(self, key: jax.Array, sample: jax.Array) -> dict:
        """Variables (collection `params`) for images like `sample`; the last layer begins ten times smaller."""
        sample = jnp.zeros((1, *sample.shape[1:3], 2), jnp.float32)
        params = keep_signal(self.network.init(key, sample)["params"])
        return {"params": params | {"head": jax.tree.map(lambda weight: 0.1 * weight, params["head"])}}

    def prepare(self, variables: dict, noisy: jax.Array) -> dict:
        """Store mean, noise and root mean square of every channel of whole images [B, H, W, C], for their tiles."""
        return variables | {"normalisation": statistics(noisy)}

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Denoised images [B, H, W, C], in the unit of the noisy ones, every channel by itself."""
        norm = variables.get("normalisation") or statistics(noisy)
        planes, level = _planes(noisy), {name: _planes(value) for name, value in norm.items()}
        denoised = self._normalised(variables, planes, level) * level["noise"] + level["mean"]
        return _images(jnp.where(level["noise"] > 0, denoised, planes), noisy.shape)

    def loss(self, variables: dict, batch: dict, key: jax.Array) -> tuple[jax.Array, tuple[dict, dict]]:
        """Mean over images and channels of the logarithm above, of ``batch["noisy"]`` and ``batch["clean"]``.

        Returns
        -------
        (loss, (new_state, measurements))
        """
        noisy, clean = _planes(batch["noisy"]), _planes(batch["clean"])
        norm = statistics(noisy)
        target = (clean - norm["mean"]) / jnp.where(norm["noise"] > 0, norm["noise"], 1)
        error = jnp.mean((self._normalised(variables, noisy, norm) - target) ** 2, (1, 2, 3))
        loss = jnp.mean(jnp.log(error / jnp.clip(jnp.var(target, (1, 2, 3)), 1e-3, 1.0) + 1e-3))
        return loss, ({}, {"loss": loss})

    def _normalised(self, variables: dict, noisy: jax.Array, norm: dict) -> jax.Array:
        """Estimates of the clean images, less the mean and over the noise: images [B, H, W, 1], statistics alike."""
        inverse = jnp.clip(norm["noise"] / norm["spread"], LEAST, 1)  # 1 / g
        z = without_faults((noisy - norm["mean"]) / norm["spread"])
        given = jnp.concatenate([jnp.clip(z, -SEEN, SEEN), jnp.broadcast_to(inverse, z.shape)], -1)
        cast = given if self.precision == "float32" else given.astype(self.precision)
        mean = self.network.apply({"params": variables["params"]}, cast).astype(jnp.float32)
        size = jnp.sqrt(jnp.maximum(1 - inverse**2, 0.01))
        return (1 - jnp.minimum(4 * inverse**2, 1)) * z / inverse + size * mean


def _planes(images: jax.Array) -> jax.Array:
    """[B, H, W, C] -> [B C, H, W, 1]."""
    batch, height, width, channels = images.shape
    return jnp.moveaxis(images, -1, 1).reshape(batch * channels, height, width, 1)


def _images(planes: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """[B C, H, W, 1] -> `shape` [B, H, W, C]."""
    return jnp.moveaxis(planes.reshape(shape[0], shape[3], *shape[1:3]), 1, -1)


# ---------------------------------------------------------------------------------------------------- the image itself
def statistics(noisy: jax.Array) -> dict[str, jax.Array]:
    """What images say about themselves, [B, 1, 1, C] each, in their unit.

    Returns
    -------
    dict
        ``mean``; ``spread``, the root mean square about it, no less than the noise; ``noise``, its standard deviation.
        In mean and spread, pixels beyond ten root mean squares count as if they were there, so that hot ones do not
        matter. Where an image is constant, the spread is 1 and the noise 0.

    Notes
    -----
    The noise is the median power in the corner of the spectrum, beyond 0.32 cycles per pixel in both directions, where
    a microscope's image holds hardly anything; what is there in spite of it, reflections of a lattice or the streak of
    an edge, takes up less than half. Of counts it is the square root of the mean. A window lets nothing leak there.
    Bright atoms are not cut off for it, however high they are: the rims of the cuts have power at all frequencies.
    """
    mean, spread = jnp.mean(noisy, (1, 2), keepdims=True), jnp.std(noisy, (1, 2), keepdims=True)
    for _ in range(ROUNDS):
        kept = jnp.clip(noisy, mean - FAR * spread, mean + FAR * spread)
        mean, spread = jnp.mean(kept, (1, 2), keepdims=True), jnp.std(kept, (1, 2), keepdims=True)
    varies = jnp.max(noisy, (1, 2), keepdims=True) > jnp.min(noisy, (1, 2), keepdims=True)
    safe = jnp.where(varies & (spread > 0), spread, 1)
    z = without_faults((noisy - mean) / safe)
    height, width = noisy.shape[1:3]
    down, right = (jnp.asarray(np.hanning(side + 2)[1:-1], jnp.float32) for side in (height, width))
    window = down[:, None] * right
    spectrum = jnp.fft.rfft2(z * window[..., None], axes=(1, 2))
    rows = np.flatnonzero(np.abs(np.fft.fftfreq(height)) >= CORNER)
    columns = np.flatnonzero(np.abs(np.fft.rfftfreq(width)) >= CORNER)
    corner = spectrum[:, rows[0] : rows[-1] + 1, columns[0] :]
    power = jnp.median(jnp.abs(corner) ** 2, (1, 2), keepdims=True) / np.log(2) / jnp.sum(window**2)
    noise = jnp.where(varies & (spread > 0), jnp.clip(jnp.sqrt(power), LEAST, 1) * safe, 0)
    return {"mean": mean, "spread": safe, "noise": noise}


def without_faults(z: jax.Array) -> jax.Array:
    """Images [B, H, W, C] of root mean square 1 about 0, hot and dead pixels, up to three together, replaced by the
    median of those around."""
    height, width = z.shape[1:3]
    padded = jnp.pad(z, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    places = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    around = _sorted_eight([padded[:, i : i + height, j : j + width] for i, j in places])
    fault = (z > FAULT) & (around[5] < SHARED * z) | (z < -FAULT) & (around[2] > SHARED * z)
    return jnp.where(fault, (around[3] + around[4]) / 2, z)


def _sorted_eight(values: list[jax.Array]) -> list[jax.Array]:
    """Eight arrays in order, element by element, by Batcher's merge sort; `jnp.sort` takes 100 times as long."""
    values = list(values)
    for a, b in _COMPARISONS:
        values[a], values[b] = jnp.minimum(values[a], values[b]), jnp.maximum(values[a], values[b])
    return values


_COMPARISONS = (
    *((0, 1), (2, 3), (4, 5), (6, 7), (0, 2), (1, 3), (4, 6), (5, 7), (1, 2), (5, 6)),
    *((0, 4), (1, 5), (2, 6), (3, 7), (2, 4), (3, 5), (1, 2), (3, 4), (5, 6)),
)
