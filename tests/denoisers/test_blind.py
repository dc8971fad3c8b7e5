"""The blind denoiser: any unit, constant images, the noise that it finds, faults, tiles, channels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.apply import inference
from stemjax.denoisers.blind import Blind, _sorted_eight, statistics, without_faults
from stemjax.networks import N2VUNet

BLIND = Blind(N2VUNet(depth=2, width=4, first_kernel=3, channels_out=1))


@pytest.fixture(scope="module")
def variables() -> dict:
    """Fresh weights with a head of full size, so that the network matters."""
    params = jax.jit(BLIND.init)(jax.random.key(0), jnp.zeros((1, 32, 32, 1)))["params"]
    return {"params": params | {"head": jax.tree.map(lambda weight: 10 * weight, params["head"])}}


def lattice(size: int, spacing: float, angle: float, sigma: float) -> np.ndarray:
    """Gaussian columns on a square lattice of mean 1."""
    y, x = np.mgrid[:size, :size]
    places = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    near = [(p + spacing / 2) % spacing - spacing / 2 for p in places]
    image = np.exp(-(near[0] ** 2 + near[1] ** 2) / 2 / sigma**2)
    return image / image.mean()


def counted(clean: np.ndarray, counts: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(counts * clean).astype(np.float32)[None, ..., None]


@pytest.mark.parametrize("counts", [0.05, 0.2, 1, 5, 20, 100, 500, 2000])
def test_the_noise_of_noise(counts):
    noisy = counted(np.ones((256, 256)), counts)
    found = statistics(noisy)
    assert float(found["noise"].squeeze()) == pytest.approx(counts**0.5, rel=0.06)
    assert float(found["mean"].squeeze()) == pytest.approx(counts, abs=5 * (counts / 256**2) ** 0.5)


@pytest.mark.parametrize("angle", [0.0, 0.2, np.pi / 4])
def test_the_noise_of_a_fine_lattice_at_high_counts(angle):
    noisy = counted(lattice(128, 4.0, angle, 0.9), 2000.0)
    found = statistics(noisy)
    assert float(found["noise"].squeeze()) == pytest.approx(2000**0.5, rel=0.3)
    assert float(found["spread"].squeeze()) == pytest.approx(noisy.std(), rel=1e-3)


@pytest.mark.parametrize("sigma", [1.2, 2.0, 3.0])
def test_the_noise_behind_a_few_very_bright_atoms(sigma):
    """They are up to 300 root mean squares high; cut flat, they would be taken for twice the noise."""
    y, x = np.mgrid[:128, :128]
    places = [(31.2, 40.7), (64.4, 63.9), (90.6, 30.1)]
    clean = sum(2e3 * np.exp(-((y - a) ** 2 + (x - b) ** 2) / 2 / sigma**2) for a, b in places)
    noisy = clean + 2 * np.random.default_rng(0).normal(size=clean.shape)
    found = statistics(noisy.astype(np.float32)[None, ..., None])
    assert float(found["noise"].squeeze()) == pytest.approx(2, rel=0.03)


def test_hot_pixels_do_not_matter(variables):
    clean = lattice(128, 9.0, 0.3, 2.0)
    noisy = counted(clean, 20.0)
    spoilt = noisy.copy()
    places = np.random.default_rng(1).integers(0, 128, (2, 8))
    spoilt[0, places[0], places[1], 0] = [1e5, 1e4, 3e4, 2e3, 1e5, 2e3, 5e3, 1e4]
    (sound, found) = (statistics(image) for image in (noisy, spoilt))
    for name in sound:
        np.testing.assert_allclose(found[name], sound[name], rtol=0.05)
    denoised = BLIND.denoise(variables, spoilt)
    assert np.abs(denoised).max() < 1.5 * np.abs(BLIND.denoise(variables, noisy)).max()


def test_only_what_stands_alone_is_a_fault():
    z = np.zeros((1, 16, 16, 1), np.float32)
    z[0, 4, 4], z[0, 12, 3], z[0, 0, 0] = 50, -30, 17
    z[0, 1, 10], z[0, 2, 10], z[0, 2, 11] = 50, 80, 60  # the track of a cosmic ray
    atom = np.exp(-(np.add.outer((np.arange(16) - 9.3) ** 2, (np.arange(16) - 9.8) ** 2)) / 2 / 0.8**2)
    z[0, ..., 0] += 100 * atom * (atom > 1e-3)
    mended = np.asarray(without_faults(jnp.asarray(z)))
    assert mended[0, 4, 4] == mended[0, 12, 3] == mended[0, 0, 0] == 0
    assert (mended[0, :4, 8:14] == 0).all()
    np.testing.assert_array_equal(mended[0, 7:13, 7:13], z[0, 7:13, 7:13])


def test_eight_are_sorted():
    bits = jnp.asarray(np.arange(256)[None] >> np.arange(8)[:, None] & 1)  # what sorts every row of 0 and 1 sorts all
    np.testing.assert_array_equal(jnp.stack(_sorted_eight(list(bits))), np.sort(bits, 0))


@pytest.mark.parametrize("counts", [0.1, 3.0, 1000.0])
def test_the_unit_does_not_matter(variables, counts):
    noisy = counted(lattice(64, 7.0, 0.4, 1.6), counts)
    denoised = np.asarray(BLIND.denoise(variables, noisy))
    for gain, offset in ((1e-3, 0.0), (300.0, 20.0), (1.0, -3.0)):
        again = (np.asarray(BLIND.denoise(variables, (gain * noisy + offset).astype(np.float32))) - offset) / gain
        np.testing.assert_allclose(again, denoised, atol=2e-3 * noisy.std())


def test_constant_images_come_back(variables):
    for value in (0.0, 0.1, -7.3):
        image = np.full((2, 32, 32, 1), value, np.float32)
        np.testing.assert_array_equal(BLIND.denoise(variables, image), image)
    loss, _ = BLIND.loss(variables, {"noisy": image, "clean": image}, jax.random.key(0))
    assert np.isfinite(loss)


def test_fresh_weights_leave_a_clear_image_alone():
    """Nearly: they remove (2 / g)² of it, and what the small last layer adds is a part of the noise."""
    clean = lattice(64, 10.0, 0.2, 2.2)
    noisy = counted(clean, 2000.0)
    fresh = BLIND.init(jax.random.key(0), noisy)
    changed = np.asarray(BLIND.denoise(fresh, noisy) - noisy)
    assert changed.std() < 0.01 * noisy.std()


def test_channels_are_images_by_themselves(variables):
    pair = np.concatenate([counted(lattice(32, 7.0, 0.4, 1.6), 3.0), 50 * counted(np.ones((32, 32)), 9.0)], -1)
    together = np.asarray(BLIND.denoise(variables, pair))
    for channel in (0, 1):
        alone = BLIND.denoise(variables, pair[..., channel : channel + 1])
        np.testing.assert_allclose(together[..., channel : channel + 1], alone, rtol=1e-4, atol=1e-4 * pair.std())
    prepared = BLIND.prepare(variables, pair)
    assert prepared["normalisation"]["noise"].shape == (1, 1, 1, 2)
    np.testing.assert_allclose(BLIND.denoise(prepared, pair), together, rtol=1e-5, atol=1e-5 * pair.std())


def test_tiles_agree_with_the_whole_image(variables):
    image = (1 + np.linspace(0, 9, 160)[:, None]) * lattice(160, 8.0, 0.3, 1.8)
    noisy = counted(image, 2.0)[0]
    whole = np.asarray(BLIND.denoise(variables, noisy[None]))[0]
    tiled = inference.denoise_image(BLIND, variables, noisy, tile=96)
    np.testing.assert_allclose(tiled, whole, atol=1e-4 * noisy.std())
