"""Classical filters: equal to SciPy's and scikit-image's, batch of n = n batches of one, sensible grids."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, signal
from skimage.filters import butterworth
from skimage.restoration import denoise_tv_chambolle

from stemjax.denoisers.constant import Constant
from stemjax.denoisers.gaussian import Gaussian
from stemjax.denoisers.low_pass import LowPass
from stemjax.denoisers.total_variation import TotalVariation
from stemjax.denoisers.wiener import Wiener

ALL = [Constant(), Gaussian(2.0), LowPass(0.05), LowPass(0.05, order=None), Wiener(3), TotalVariation(1.0)]


def lattice(height=61, width=48, seed=0):
    y, x = np.mgrid[:height, :width]
    clean = 0.45 + 0.3 * np.sin(x / 5) * np.cos(y / 7)
    return np.random.default_rng(seed).poisson(clean).astype("f4")


def apply(denoiser, image):
    return np.asarray(jax.jit(denoiser.denoise)({}, jnp.asarray(image)[None, ..., None]))[0, ..., 0]


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.8, 11.0])
def test_gaussian_equals_scipy(sigma):
    image = lattice(30, 41)  # smaller than the widest kernel
    np.testing.assert_allclose(apply(Gaussian(sigma), image), ndimage.gaussian_filter(image, sigma), atol=2e-6)


@pytest.mark.parametrize("radius", [1, 4, 13])
def test_wiener_equals_scipy(radius):
    """On an image that scipy is given with its reflection about the edges, and the noise without."""
    image, size = lattice(), 2 * radius + 1
    mirrored = np.pad(image.astype(float), 2 * radius, mode="symmetric")
    mean = ndimage.uniform_filter(mirrored, size)
    variance = ndimage.uniform_filter(mirrored**2, size) - mean**2
    inner = (slice(2 * radius, -2 * radius),) * 2
    with np.errstate(divide="ignore", invalid="ignore"):  # windows without an electron have no variance
        expected = signal.wiener(mirrored, size, noise=variance[inner].mean())[inner]
    np.testing.assert_allclose(apply(Wiener(radius), image), expected, atol=1e-5)


def test_wiener_leaves_a_constant_and_survives_an_offset():
    assert (apply(Wiener(3), np.full((20, 20), 7.0, "f4")) == 7).all()
    np.testing.assert_allclose(apply(Wiener(3), lattice() + 1000), apply(Wiener(3), lattice()) + 1000, atol=2e-3)


@pytest.mark.parametrize("cutoff, order", [(0.03, 2.0), (0.1, 2.0), (0.1, 5.0)])
def test_butterworth_equals_scikit_image_on_the_mirrored_image(cutoff, order):
    image = lattice(60, 48)
    mirrored = np.block([[image, image[:, ::-1]], [image[::-1], image[::-1, ::-1]]])
    expected = butterworth(mirrored, cutoff, high_pass=False, order=order)[:60, :48]
    np.testing.assert_allclose(apply(LowPass(cutoff, order), image), expected, atol=1e-5)


def test_hard_low_pass_keeps_what_is_below_and_removes_what_is_above():
    x = np.arange(64) + 0.5  # cosines that the mirror image continues without a kink
    slow, fast = np.cos(np.pi * 4 * x / 64), np.cos(np.pi * 20 * x / 64)  # 1/32 and 10/64 cycles per pixel
    image = np.broadcast_to(1 + slow + fast, (16, 64)).astype("f4")
    result = apply(LowPass(0.1, order=None), image)
    np.testing.assert_allclose(result, np.broadcast_to(1 + slow, (16, 64)), atol=1e-5)


def test_low_pass_does_not_wrap_around():
    image = np.zeros((32, 64), "f4")
    image[:, 32:] = 1
    result = apply(LowPass(0.05), image)
    assert result[:, 0].max() < 0.1 and result[:, -1].min() > 0.9


@pytest.mark.parametrize("weight", [0.1, 1.0, 4.0])
def test_total_variation_equals_scikit_image(weight):
    image = lattice()
    np.testing.assert_allclose(
        apply(TotalVariation(weight), image), denoise_tv_chambolle(image, weight=weight), atol=1e-5
    )
    few = denoise_tv_chambolle(image, weight=weight, max_num_iter=3)
    np.testing.assert_allclose(apply(TotalVariation(weight, iterations=3), image), few, atol=1e-5)


def test_constant_is_the_mean_of_each_channel():
    noisy = np.stack([lattice(), 3 * lattice(seed=1)], -1)[None]
    np.testing.assert_allclose(Constant().denoise({}, noisy)[0, 5, 6], noisy.mean((0, 1, 2)), rtol=1e-5)


@pytest.mark.parametrize("denoiser", ALL, ids=str)
def test_frames_and_channels_are_denoised_by_themselves(denoiser):
    noisy = jnp.asarray([[lattice(24, 20, seed=2 * b + c) * (1 + b) for c in range(2)] for b in range(3)])
    noisy = jnp.moveaxis(noisy, 1, -1)  # [3, 24, 20, 2]
    denoise = jax.jit(denoiser.denoise)
    together = denoise({}, noisy)
    assert together.shape == noisy.shape and together.dtype == jnp.float32 and jnp.isfinite(together).all()
    for frame in range(3):
        for channel in range(2):
            alone = denoise({}, noisy[frame : frame + 1, ..., channel : channel + 1])
            np.testing.assert_allclose(together[frame, ..., channel], alone[0, ..., 0], atol=1e-5)
    movie = denoise({}, noisy[None])
    np.testing.assert_allclose(movie[0], together, atol=1e-6)


@pytest.mark.parametrize("cls", [Constant, Gaussian, LowPass, Wiener, TotalVariation])
def test_grids_name_a_field_and_rise(cls):
    assert len(cls.tunable) == (cls is not Constant)
    for field, values in cls.tunable.items():
        assert list(values) == sorted(set(values)) and len(values) >= 8
        assert values[0] <= getattr(cls(), field) <= values[-1]


@pytest.mark.parametrize("middle", [Gaussian(4.0), LowPass(0.044), Wiener(6), TotalVariation(5.6)], ids=str)
def test_the_grid_spans_the_best_value_and_its_middle_beats_a_constant(middle):
    """A lattice of 25 px (Pt at 0.098 Å per pixel) at 1.8 counts per pixel."""
    y, x = np.mgrid[:128, :128] * 2 * np.pi / 25
    clean = 1.8 + 0.6 * np.cos(x) * np.cos(y)
    noisy = np.random.default_rng(0).poisson(clean).astype("f4")
    ((field, values),) = middle.tunable.items()
    assert getattr(middle, field) in values
    lowest, highest = (replace(middle, **{field: value}) for value in (values[0], values[-1]))
    errors = [np.mean((apply(denoiser, noisy) - clean) ** 2) for denoiser in (lowest, middle, highest)]
    assert errors[1] < 0.9 * min(errors[0], errors[2], np.var(clean))
