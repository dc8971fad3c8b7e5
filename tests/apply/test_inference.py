"""Inference: tiles against the whole image, the papers' averaging against a slow reference, one program per shape."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.apply import inference
from stemjax.apply.inference import denoise_image, reach
from stemjax.denoisers.constant import Constant
from stemjax.denoisers.gaussian import Gaussian
from stemjax.denoisers.supervised import Supervised
from stemjax.metrics.field_of_view import pooling_period
from stemjax.networks import DURR, DnCNN, UNet

RNG = np.random.default_rng(0)


def counts(height: int, width: int) -> np.ndarray:
    return RNG.poisson(1.8, (height, width, 1)).astype(np.float32)


def lively(denoiser) -> dict:
    """Variables whose deep layers matter: PyTorch's initial weights let the signal die out on the way."""
    variables = jax.jit(denoiser.init)(jax.random.key(0), jnp.zeros((1, 64, 64, 1)))
    enlarge = lambda path, leaf: leaf * 6**0.5 if "kernel" in jax.tree_util.keystr(path) else leaf
    return variables | {"params": jax.tree_util.tree_map_with_path(enlarge, variables["params"])}


@pytest.mark.parametrize(
    ("network", "shape", "tile"),
    [
        (DnCNN(depth=6, width=8), (90, 71), 40),
        (DURR(width=4), (161, 130), 96),
        (UNet(scales=2, width=4, bias=True), (123, 150), 96),
        (UNet(scales=4, width=2), (555, 345), 320),
    ],
    ids=["dncnn", "durr", "unet-2", "unet-4"],
)
def test_tiled_equals_whole(network, shape, tile):
    if isinstance(network, UNet) and not hasattr(UNet, "_place"):
        pytest.skip("this UNet does not read `place`: its upsampling follows the tile's size")
    denoiser = Supervised(network, centre=True)
    variables, image = lively(denoiser), counts(*shape)
    whole = np.asarray(jax.jit(denoiser.denoise)(variables, image[None])[0])
    tiled = denoise_image(denoiser, variables, image, tile=tile)
    assert len(inference._tiles(max(shape), tile, reach(network, max(shape)), pooling_period(network))) > 1
    np.testing.assert_allclose(tiled, whole, atol=1e-5 * np.abs(whole).max(), rtol=0)


def test_a_halo_too_narrow_shows():
    """The network does see that far: otherwise the agreement above would prove nothing."""
    denoiser = Supervised(DnCNN(depth=6, width=8))
    variables, image = lively(denoiser), counts(100, 100)
    whole = denoise_image(denoiser, variables, image)
    assert np.abs(denoise_image(denoiser, variables, image, tile=50, halo=2) - whole).max() > 1e-4 * np.abs(whole).max()


@pytest.mark.parametrize(
    ("size", "tile", "halo", "period"), [(1000, 128, 20, 16), (555, 320, 122, 16), (97, 32, 5, 1), (64, 64, 9, 4)]
)
def test_tiles_cover_every_pixel_once(size, tile, halo, period):
    tiles = inference._tiles(size, tile, halo, period)
    kept = np.concatenate([np.arange(first, last) for _, _, first, last in tiles])
    np.testing.assert_array_equal(kept, np.arange(size))
    assert len({stop - start for start, stop, _, _ in tiles}) == 1
    for start, stop, first, last in tiles:
        assert start % period == 0
        assert (first - start >= halo or start == 0) and (stop - last >= halo or stop == size)


@pytest.mark.parametrize(
    ("network", "period", "field"),
    [(DnCNN(), 1, 41), (DURR(), 2, 45), (UNet(scales=2), 4, 49), (UNet(scales=4), 16, 221), (UNet(scales=6), 64, 893)],
)
def test_geometry(network, period, field):
    assert pooling_period(network) == period
    assert field // 2 <= reach(network, 1500) <= field // 2 + period


# ---------------------------------------------------------------------------------------------------- averaging
@dataclass(frozen=True)
class Squeeze:
    """A stand-in that depends on the whole tile, so that every tile gives another answer for the same pixel."""

    network: Any = DnCNN(depth=2, width=1)

    def denoise(self, variables, noisy, key=None):
        return noisy / (1 + jnp.mean(noisy, axis=(1, 2, 3), keepdims=True))


def slow_average(image: np.ndarray, tile: int, step: int) -> np.ndarray:
    height, width = image.shape[:2]
    above, before = max(tile - height, 0) // 2, max(tile - width, 0) // 2
    padded = np.zeros((max(tile, height), max(tile, width)))
    padded[above : above + height, before : before + width] = image[..., 0]
    total, count = np.zeros_like(padded), np.zeros_like(padded)
    starts = [[k for k in range(n) if k + tile == n or (k % step == 0 and k + tile <= n)] for n in padded.shape]
    for y in starts[0]:
        for x in starts[1]:
            patch = padded[y : y + tile, x : x + tile]
            for i in range(tile):
                for j in range(tile):
                    total[y + i, x + j] += patch[i, j] / (1 + patch.mean())
                    count[y + i, x + j] += 1
    return (total / count)[above : above + height, before : before + width, None]


@pytest.mark.parametrize("shape", [(40, 40), (75, 82), (110, 40), (33, 90), (31, 25)])
def test_average_of_patches(shape):
    image = counts(*shape)
    np.testing.assert_allclose(
        denoise_image(Squeeze(), {}, image, blend="average", tile=40, step=35), slow_average(image, 40, 35), rtol=1e-5
    )


def test_average_defaults_to_the_papers_patches():
    assert inference._starts(1100, inference.PAPER_TILE, inference._paper_step(None)) == [0, 350, 700]
    assert inference._starts(803, 400, 350) == [0, 350, 403]


# ---------------------------------------------------------------------------------------------------- shapes and traces
@dataclass(frozen=True)
class Counting:
    """Counts how often it is traced."""

    traces: Any
    network: Any = None

    def __hash__(self):
        return id(self.traces)

    def denoise(self, variables, noisy, key=None):
        self.traces.append(noisy.shape)
        return noisy * 0.5


@dataclass(frozen=True)
class CountingFilter:
    traces: Any

    def __hash__(self):
        return id(self.traces)

    def denoise(self, variables, noisy, key=None):
        self.traces.append(noisy.shape)
        return noisy * 0.5


def test_one_program_for_a_tiled_image_and_for_images_of_one_shape():
    denoiser = Counting([], UNet(scales=2))
    for _ in range(3):
        denoise_image(denoiser, {}, counts(500, 500), tile=120)
    assert len(denoiser.traces) == 1
    denoise_image(denoiser, {}, counts(604, 404), tile=120)  # another size, but of the same rest
    assert len(denoiser.traces) == 1
    denoise_image(denoiser, {}, counts(500, 501), tile=120)
    assert len(denoiser.traces) == 2


def test_a_filter_takes_the_whole_image_and_movies_frame_by_frame():
    denoiser = CountingFilter([])
    movie = np.stack([counts(50, 60) for _ in range(3)])
    np.testing.assert_array_equal(denoise_image(denoiser, {}, movie, tile=16), movie / 2)
    assert denoiser.traces == [(1, 50, 60, 1)]


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (15, 16)])
def test_images_smaller_than_the_network_needs(shape):
    denoiser = Supervised(UNet(scales=4, width=2), centre=True)
    variables = jax.jit(denoiser.init)(jax.random.key(0), jnp.zeros((1, 64, 64, 1)))
    image = counts(*shape) + np.linspace(0, 1, shape[1], dtype=np.float32)[:, None]
    for blend in ("halo", "average"):
        denoised = denoise_image(denoiser, variables, image, blend=blend)
        assert denoised.shape == image.shape and denoised.dtype == np.float32 and np.isfinite(denoised).all()


def test_a_constant_image_comes_back():
    image = np.full((30, 40, 1), 3.0, np.float32)
    np.testing.assert_array_equal(denoise_image(Supervised(DnCNN(depth=3, width=2)), {}, image), image)


def test_statistics_are_those_of_the_whole_image():
    """Tiles of different brightness must be centred alike; a filter is not tiled at all."""
    seen = []

    @dataclass(frozen=True)
    class Recording:
        network: Any = DnCNN(depth=3, width=2)

        def prepare(self, variables, noisy):
            seen.append(noisy.shape)
            return variables | {"normalisation": {"offset": jnp.mean(noisy)}}

        def denoise(self, variables, noisy, key=None):
            return jnp.zeros_like(noisy) + variables["normalisation"]["offset"]

    image = counts(90, 80)
    np.testing.assert_allclose(denoise_image(Recording(), {}, image, tile=32), image.mean(), rtol=1e-6)
    assert seen == [(1, 90, 80, 1)]
    np.testing.assert_allclose(denoise_image(Constant(), {}, image, tile=32), image.mean(), rtol=1e-6)
    assert denoise_image(Gaussian(2.0), {}, image, tile=32).shape == image.shape


# ---------------------------------------------------------------------------------------------------- memory
def exhausted(largest: int):
    """A stand-in for the device: tiles of more than `largest` pixels a side do not fit."""
    tried = []

    def apply(denoiser, variables, image):
        tried.append(image.shape[0])
        if max(image.shape) > largest:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")
        return image * 0.5

    return tried, apply


def test_out_of_memory_halves_the_tile(monkeypatch):
    tried, apply = exhausted(70)
    monkeypatch.setattr(inference, "_apply", apply)
    image = counts(256, 256)
    np.testing.assert_array_equal(denoise_image(Supervised(DnCNN(depth=6)), {}, image), image / 2)
    assert list(dict.fromkeys(tried)) == [256, 128, 64]


@pytest.mark.parametrize("denoiser", [Supervised(DnCNN(depth=6)), Gaussian()], ids=["network", "filter"])
@pytest.mark.parametrize("blend", ["halo", "average"])
def test_out_of_memory_for_good_is_one_line(monkeypatch, denoiser, blend):
    _, apply = exhausted(0)
    monkeypatch.setattr(inference, "_apply", apply)
    with pytest.raises(MemoryError, match="do not fit into memory"):
        denoise_image(denoiser, {}, counts(256, 256), blend=blend)


def test_other_faults_of_the_device_are_not_hidden(monkeypatch):
    def apply(*_):
        raise jax.errors.JaxRuntimeError("INTERNAL: broken")

    monkeypatch.setattr(inference, "_apply", apply)
    with pytest.raises(jax.errors.JaxRuntimeError, match="broken"):
        denoise_image(Gaussian(), {}, counts(20, 20))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"blend": "mean"}, "blend 'mean'"),
        ({"tile": 0}, "positive"),
        ({"halo": -1}, "negative"),
        ({"step": 5}, "step belongs"),
        ({"blend": "average", "tile": 10, "step": 11}, "gaps"),
    ],
)
def test_options_that_contradict(options, words):
    with pytest.raises(ValueError, match=words):
        denoise_image(Supervised(DnCNN(depth=3, width=2)), {}, counts(50, 50), **options)
