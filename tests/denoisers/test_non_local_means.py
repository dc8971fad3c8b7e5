"""Non-local means: scikit-image's filter between the transform and its inverse, of use on a noisy lattice."""

import jax
import numpy as np
import pytest
from skimage.restoration import denoise_nl_means

from stemjax.denoisers.anscombe import anscombe, exact_unbiased_inverse
from stemjax.denoisers.non_local_means import NonLocalMeans
from tests.toys.counts import lattice, moments


def apply(denoiser, image):
    return np.asarray(jax.jit(denoiser.denoise)({}, image[None, ..., None]))[0, ..., 0]


def test_it_is_scikit_images_filter_in_the_stabilised_domain():
    noisy = np.random.default_rng(0).poisson(lattice(48, 1.8)).astype("f4")
    sigma = np.sqrt(moments(noisy.mean())[1])
    filtered = denoise_nl_means(
        np.asarray(anscombe(noisy)), patch_size=5, patch_distance=4, h=0.7 * sigma, sigma=sigma, fast_mode=True
    )
    expected = exact_unbiased_inverse(filtered)
    found = apply(NonLocalMeans(h=0.7, patch_size=5, patch_distance=4), noisy)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("rate", [0.45, 1.8])
def test_the_grid_spans_useful_values(rate):
    clean = lattice(128, rate)
    noisy = np.random.default_rng(0).poisson(clean).astype("f4")
    values = NonLocalMeans.tunable["h"]
    errors = [np.mean((apply(NonLocalMeans(h=h), noisy) - clean) ** 2) for h in (values[0], 0.4, 0.56)]
    assert values[0] < NonLocalMeans().h < values[-1] and list(values) == sorted(values)
    assert min(errors[1:]) < 0.9 * min(np.var(clean), errors[0])


def test_images_without_contrast_or_counts():
    for level in (0.0, 2.0):
        np.testing.assert_allclose(apply(NonLocalMeans(), np.full((20, 20), level, "f4")), _level(level), atol=1e-4)


def _level(level):
    """A constant image is a noise-free one to the filter: only the two transforms act on it."""
    return float(exact_unbiased_inverse(anscombe(np.float32(level))))
