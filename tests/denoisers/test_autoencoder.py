"""The autoencoder of Wang et al.: its loss at four resolutions, its scaling, and that it takes whole images."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.apply import inference
from stemjax.config import from_config, to_config, with_settings
from stemjax.denoisers.autoencoder import MultiResolutionAutoencoder
from stemjax.denoisers.movie_autoencoder import MovieAutoencoder
from stemjax.networks.bottleneck import BottleneckAutoencoder


@dataclass(frozen=True)
class Echo:
    """Stands for the network: gives back what it is shown, or constants at four resolutions."""

    factor: int = 8

    def apply(self, variables, images, pyramid=False):
        assert images.shape[1] % self.factor == images.shape[2] % self.factor == 0
        if not pyramid:
            return images
        count, height, width, channels = images.shape
        return [jnp.full((count, height >> k, width >> k, channels), 0.25 * k) for k in range(4)]


ECHO = MultiResolutionAutoencoder(Echo())


def images(*shape):
    return np.random.default_rng(0).gamma(2.0, 3.0, shape).astype(np.float32)


def test_the_loss_adds_the_absolute_errors_to_the_means_of_blocks():
    noisy = images(2, 16, 24, 2)
    low, span = noisy.min((1, 2), keepdims=True), np.ptp(noisy, (1, 2), keepdims=True)
    unit, expected = (noisy - low) / span, []
    for k in range(4):
        blocks = unit.reshape(2, 16 >> k, 1 << k, 24 >> k, 1 << k, 2).mean((2, 4))
        expected.append(np.abs(blocks - 0.25 * k).mean())
    loss, (_, measured) = ECHO.loss({"params": {}}, {"noisy": jnp.asarray(noisy)}, jax.random.key(0))
    np.testing.assert_allclose([loss, measured["finest"]], [sum(expected), expected[0]], rtol=1e-5)


def test_the_loss_is_in_units_of_the_movies_range_where_that_is_known():
    noisy = jnp.asarray(images(1, 8, 8, 1))
    batch = {"noisy": noisy, "low": jnp.full((1, 1, 1, 1), -1.0), "span": jnp.full((1, 1, 1, 1), 50.0)}
    finest = ECHO.loss({"params": {}}, batch, jax.random.key(0))[1][1]["finest"]
    np.testing.assert_allclose(finest, np.abs((noisy + 1) / 50).mean(), rtol=1e-5)


def test_the_network_sees_0_to_1_in_training_and_afterwards():
    seen = []

    @dataclass(frozen=True)
    class Watched(Echo):
        def apply(self, variables, images, pyramid=False):
            seen.append((float(images.min()), float(images.max())))
            return Echo.apply(self, variables, images, pyramid)

    denoiser, movie = MultiResolutionAutoencoder(Watched()), images(3, 16, 16, 1)
    variables = denoiser.prepare({"params": {}}, jnp.asarray(movie))
    streamed = denoiser.prepare_movie({"params": {}}, iter(movie))
    jax.tree.map(np.testing.assert_array_equal, variables, streamed)
    denoiser.denoise(variables, jnp.asarray(movie))
    denoiser.loss(variables, {"noisy": jnp.asarray(movie)} | variables["normalisation"], jax.random.key(0))
    np.testing.assert_allclose(seen, [(0, 1), (0, 1)], atol=1e-6)


def test_any_size_is_continued_by_reflection_and_comes_back_in_its_unit():
    noisy = images(1, 13, 21, 2)
    np.testing.assert_allclose(ECHO.denoise({"params": {}}, jnp.asarray(noisy)), noisy, atol=1e-5)


def test_images_are_never_cut_in_tiles():
    with pytest.raises(ValueError, match="autoencoder takes whole images: leave out tile"):
        inference.denoise_image(ECHO, {"params": {}}, images(64, 64, 1), tile=32)
    noisy = images(40, 72, 1)
    np.testing.assert_allclose(inference.denoise_image(ECHO, {"params": {}}, noisy), noisy, atol=1e-5)


def test_two_autoencoders_keep_their_names_apart():
    ours = MultiResolutionAutoencoder(BottleneckAutoencoder(4, (4, 4, 8), trunk=8, residuals=1))
    for denoiser in (ours, MovieAutoencoder()):
        assert from_config(to_config(denoiser)) == denoiser
    assert to_config(ours)["network"]["widths"] == [4, 4, 8]


def test_counts_that_are_mostly_zero_deserve_a_warning():
    counts = jnp.asarray(np.random.default_rng(0).poisson(0.3, (1, 32, 32, 1)), jnp.float32)
    absolute = MultiResolutionAutoencoder()
    (text,) = absolute.warnings({}, counts, counts)
    assert "72% of the pixels have the lowest value" in text and "objective=mse" in text
    assert absolute.warnings({}, counts + 5 * jnp.linspace(0, 1, 32)[:, None, None], counts) == []
    assert replace(absolute, objective="mse").warnings({}, counts, counts) == []


def test_its_bottleneck_can_be_set_by_name():
    assert with_settings(MultiResolutionAutoencoder(), ["network.bottleneck=4"]).network == BottleneckAutoencoder(4)
