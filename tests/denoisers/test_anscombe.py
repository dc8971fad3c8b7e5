"""Anscombe transform: the inverse against its definition, and the variance it promises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.denoisers.anscombe import anscombe, denoise_stabilised, exact_unbiased_inverse, noise_variance
from tests.toys.counts import moments


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2, 0.45, 1.0, 1.8, 4.0, 10.0, 20.0, 99.0, 101.0, 1000.0])
def test_the_inverse_is_the_definition(rate):
    mean, variance = moments(rate)
    np.testing.assert_allclose(exact_unbiased_inverse(np.float32(mean)), rate, rtol=1e-5, atol=2e-5)
    assert abs(mean**2 / 4 - 3 / 8 - rate) > 500 * 2e-5 or rate < 0.1  # the algebraic inverse is not
    assert noise_variance(rate) == pytest.approx(variance, abs=2e-4 if rate < 100 else 0.01)


def test_the_inverse_rises_from_zero():
    values = exact_unbiased_inverse(np.linspace(0, 40, 4001, dtype="f4"))
    assert values[0] == 0 and exact_unbiased_inverse(anscombe(np.float32(0))) == 0
    assert (np.diff(values) >= 0).all() and np.isfinite(values).all()


@pytest.mark.parametrize("rate", [0.45, 1.8, 10.0])
def test_the_mean_of_stabilised_counts_gives_the_rate(rate):
    counts = np.random.default_rng(0).poisson(rate, (1, 400, 400, 1)).astype("f4")
    averaged = denoise_stabilised(counts, lambda plane: np.full_like(plane, plane.mean()))
    np.testing.assert_allclose(averaged, rate, atol=5 * np.sqrt(rate / counts.size))


@pytest.mark.parametrize("compiled", [True, False])
def test_planes_are_filtered_one_by_one(compiled):
    """In the order of frames and channels, with NumPy arrays, inside and outside of a compiled program."""
    noisy = np.random.default_rng(0).poisson(2.0, (2, 70, 50, 3)).astype("f4")
    seen = []

    def keep(plane):
        seen.append((type(plane), plane.shape))
        return plane + len(seen)

    def denoise(image):
        return denoise_stabilised(image, keep)

    denoised = np.asarray((jax.jit(denoise) if compiled else denoise)(jnp.asarray(noisy)))
    assert denoised.dtype == np.float32 and seen == [(np.ndarray, (70, 50))] * 6
    for index, (frame, channel) in enumerate(np.ndindex(2, 3)):
        expected = exact_unbiased_inverse(anscombe(noisy[frame, ..., channel]) + index + 1)
        np.testing.assert_allclose(denoised[frame, ..., channel], expected, rtol=1e-5)
