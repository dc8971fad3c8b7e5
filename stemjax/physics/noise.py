"""Noise models: how a detector turns a clean image into a noisy one.

Each model is a frozen dataclass with two pure functions that work under `jit` and `vmap`:

``sample(key, clean)``
    A noisy image drawn from the model, float32, of the shape of `clean` [..., H, W, C]. Nothing is ever clipped.
``log_prob(noisy, clean)``
    Natural logarithm of the probability (counts) or the probability density (Gaussian) of every pixel, constants
    included, of the shape of `clean`.

Images are in counts (electrons per pixel) unless a model says otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.scipy.special import gammaln, xlogy
from jax.scipy.stats import norm

# Inverse-CDF sampling compares a 32-bit draw with P(X > k): the rates each number of terms serves to below 2^-32.
LOW_RATE, LOW_RATE_TERMS = 1.0, 12
HIGH_RATE, HIGH_RATE_TERMS = 5.0, 24


@dataclass(frozen=True)
class Poisson:
    """Shot noise of electron counting: ``noisy ~ Poisson(clean)``.

    Notes
    -----
    Pixels of rate up to 5 are drawn by inverting the distribution function on 32 random bits, which is about ten
    times faster than `jax.random.poisson` and exact to 2^-32 in every tail probability; brighter pixels come from
    `jax.random.poisson`, which is not run where there are none. Rates below zero (ringing of an interpolation) count
    as zero; NaN stays NaN.

    Examples
    --------
    >>> clean = jnp.full((1, 64, 64, 1), 0.45)
    >>> noisy = Poisson().sample(jax.random.key(0), clean)
    """

    def sample(self, key: Array, clean: Array) -> Array:
        """Draw counts, float32 whole numbers [..., H, W, C], from rates `clean` [..., H, W, C] in counts."""
        rate = lax.stop_gradient(jnp.asarray(clean, jnp.float32))
        bits_key, bright_key = jax.random.split(key)
        bits = jax.random.bits(bits_key, rate.shape, jnp.uint32)
        counts = _invert(bits, rate, LOW_RATE, LOW_RATE_TERMS)
        counts = _redo(rate > LOW_RATE, lambda high: _invert(bits, high, HIGH_RATE, HIGH_RATE_TERMS), rate, counts)
        counts = _redo(rate > HIGH_RATE, lambda high: _draw_bright(bright_key, high), rate, counts)
        return jnp.where(jnp.isnan(rate), rate, counts)

    def log_prob(self, noisy: Array, clean: Array) -> Array:
        """``noisy log(clean) - clean - log(noisy!)`` per pixel; -inf where counts meet a rate of zero."""
        return xlogy(noisy, clean) - clean - gammaln(noisy + 1.0)


@dataclass(frozen=True)
class Dose:
    """Shot noise of a scanned probe of known dose: ``noisy ~ Poisson(N clean) / N``.

    Images are fractions of the incident beam, as they come from the simulation of a STEM detector, and stay so.

    Parameters
    ----------
    electrons_per_pixel : float
        Electrons N of the incident beam at every pixel.
    """

    electrons_per_pixel: float

    def sample(self, key: Array, clean: Array) -> Array:
        """Draw a noisy image [..., H, W, C] as a fraction of the incident beam."""
        return Poisson().sample(key, self.electrons_per_pixel * clean) / self.electrons_per_pixel

    def log_prob(self, noisy: Array, clean: Array) -> Array:
        """Log probability per pixel of the electrons counted, ``N noisy``."""
        return Poisson().log_prob(self.electrons_per_pixel * noisy, self.electrons_per_pixel * clean)


@dataclass(frozen=True)
class Gaussian:
    """White Gaussian noise at a target peak signal-to-noise ratio.

    ``noisy = clean + sigma n``, ``sigma = (max clean - min clean) 10^(-psnr_db / 20)``, the range being taken over the
    pixels (H, W) of each frame and channel, so that PSNR with ``data_range = max - min`` equals the target.

    Parameters
    ----------
    psnr_db : float
        Target PSNR of the noisy image [dB].
    """

    psnr_db: float

    def sigma(self, clean: Array) -> Array:
        """Standard deviation [..., 1, 1, C] of the noise, in the unit of `clean` [..., H, W, C]."""
        span = jnp.max(clean, axis=(-3, -2), keepdims=True) - jnp.min(clean, axis=(-3, -2), keepdims=True)
        return span * 10.0 ** (-self.psnr_db / 20.0)

    def sample(self, key: Array, clean: Array) -> Array:
        """Draw a noisy image [..., H, W, C] in the unit of `clean`."""
        clean = jnp.asarray(clean, jnp.float32)
        return clean + self.sigma(clean) * jax.random.normal(key, clean.shape)

    def log_prob(self, noisy: Array, clean: Array) -> Array:
        """Log density per pixel; undefined (NaN) where `clean` is constant, since its noise is then zero."""
        return norm.logpdf(noisy, clean, self.sigma(clean))


@dataclass(frozen=True)
class FixedGaussian:
    """White Gaussian noise of one standard deviation: ``noisy = clean + sigma n``.

    Parameters
    ----------
    sigma : float
        Standard deviation, in the unit of the image.
    """

    sigma: float

    def sample(self, key: Array, clean: Array) -> Array:
        """Draw a noisy image [..., H, W, C] in the unit of `clean`."""
        clean = jnp.asarray(clean, jnp.float32)
        return clean + self.sigma * jax.random.normal(key, clean.shape)

    def log_prob(self, noisy: Array, clean: Array) -> Array:
        """Log density per pixel."""
        return norm.logpdf(noisy, clean, self.sigma)


@dataclass(frozen=True)
class UniformGaussian:
    """White Gaussian noise whose standard deviation is drawn uniformly, one for every image.

    Parameters
    ----------
    low, high : float
        Range of the standard deviation, in the unit of the image; equal ends give one value.
    """

    low: float
    high: float

    def sample(self, key: Array, clean: Array) -> Array:
        """Draw a noisy image [..., H, W, C] in the unit of `clean`."""
        sigma_key, noise_key = jax.random.split(key)
        clean = jnp.asarray(clean, jnp.float32)
        sigma = jax.random.uniform(sigma_key, (*clean.shape[:-3], 1, 1, 1), minval=self.low, maxval=self.high)
        return clean + sigma * jax.random.normal(noise_key, clean.shape)


@dataclass(frozen=True)
class PoissonGaussian:
    """Counting noise read out by a camera: ``noisy = gain Poisson(clean) + offset + read_noise n``.

    Parameters
    ----------
    gain : float
        Camera units per electron, above 0.
    offset : float
        Camera units of a pixel without electrons.
    read_noise : float
        Standard deviation of the read-out [camera units]; `log_prob` needs it above 0.
    """

    gain: float = 1.0
    offset: float = 0.0
    read_noise: float = 1.0

    def sample(self, key: Array, clean: Array) -> Array:
        """Draw a noisy image [..., H, W, C] in camera units from rates `clean` [..., H, W, C] in counts."""
        counts_key, read_key = jax.random.split(key)
        counts = Poisson().sample(counts_key, clean)
        return self.gain * counts + self.offset + self.read_noise * jax.random.normal(read_key, counts.shape)

    def log_prob(self, noisy: Array, clean: Array) -> Array:
        """Log density per pixel, ``log sum_n Poisson(n; clean) Normal(noisy; gain n + offset, read_noise)``.

        The sum runs over every count that matters for any pixel, so its cost grows with the brightest one; it has
        forward but no reverse derivatives.
        """
        if self.read_noise <= 0:
            raise ValueError(f"read_noise = {self.read_noise} has no density: give a value above 0, or use Poisson")
        noisy, clean = jnp.broadcast_arrays(jnp.asarray(noisy, jnp.float32), jnp.asarray(clean, jnp.float32))
        # The terms are largest between these two counts and fall at least as fast as a Poisson tail beyond them.
        largest = jnp.maximum(jnp.max(clean), jnp.max((noisy - self.offset) / self.gain))
        stop = jnp.ceil(largest + 8.0 * jnp.sqrt(jnp.maximum(largest, 0.0)) + 30.0).astype(jnp.int32)

        def add_term(count: Array, total: Array) -> Array:
            count = count.astype(jnp.float32)
            read = norm.logpdf(noisy, self.gain * count + self.offset, self.read_noise)
            return jnp.logaddexp(total, Poisson().log_prob(count, clean) + read)

        return lax.fori_loop(0, stop, add_term, jnp.full_like(noisy, -jnp.inf))


def _invert(bits: Array, rate: Array, highest: float, terms: int) -> Array:
    """Counts whose survival function the random bits (uint32) fall below: ``sum_k [bits < 2^32 P(X > k)]``.

    Survival, not distribution, function: float32 resolves small numbers, so the tail keeps all 32 bits.
    """
    rate = jnp.clip(rate, 0.0, highest)
    mass = [jnp.exp(-rate)]
    for count in range(1, terms + 1):
        mass.append(mass[-1] * rate / count)
    counts = jnp.zeros_like(rate)
    survival = jnp.zeros_like(rate)
    for count in range(terms, 0, -1):  # smallest terms first, so that their sum is exact
        survival += mass[count]
        counts += bits < (survival * 2.0**32).astype(jnp.uint32)
    return counts


def sample_counts(key: Array, rate: Array) -> Array:
    """Poisson counts of any rate at little cost, float32 of the shape of `rate`: for training, not for tests of noise.

    Up to a rate of 5 as `Poisson`. Above, a normal number bent by the expansion of Cornish and Fisher, rounded: mean,
    variance and skewness are the distribution's to 1 %, while `jax.random.poisson` takes twenty times as long.
    """
    rate = lax.stop_gradient(jnp.asarray(rate, jnp.float32))
    bits_key, normal_key = jax.random.split(key)
    bits = jax.random.bits(bits_key, rate.shape, jnp.uint32)
    counts = _redo(rate <= HIGH_RATE, lambda low: _invert(bits, low, HIGH_RATE, HIGH_RATE_TERMS), rate, rate)
    return _redo(
        rate > HIGH_RATE, lambda high: _bent_normal(jax.random.normal(normal_key, rate.shape), high), rate, counts
    )


def _bent_normal(z: Array, rate: Array) -> Array:
    """Poisson counts from normal numbers; 1/12 of the variance comes with the rounding."""
    root = jnp.sqrt(jnp.maximum(rate - 1 / 12, 1.0))
    return jnp.maximum(jnp.round(rate + root * z + (z * z - 1) / 6 + (z - z**3) / (72 * root)), 0.0)


def _draw_bright(key: Array, rate: Array) -> Array:
    return jax.random.poisson(key, rate).astype(jnp.float32)


def _redo(where: Array, draw: Callable[[Array], Array], rate: Array, counts: Array) -> Array:
    """`counts` with the pixels `where` replaced by those of `draw(rate)`, which runs only if there are any.

    A loop of at most one pass, not `lax.cond`: `vmap` makes a select of a cond and would always pay for both sides.
    """

    def replace(state):
        # Without the barrier the compiler sees that the draw is the same in every pass and moves it before the loop.
        _, counts, current = lax.optimization_barrier((*state, rate))
        return jnp.bool_(False), jnp.where(where, draw(current), counts)

    return lax.while_loop(lambda state: state[0], replace, (jnp.any(where), counts))[1]
