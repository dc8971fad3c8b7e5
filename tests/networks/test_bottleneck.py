"""Layers and parameters of the autoencoder of Wang et al.: sizes, exact transposed convolutions, published counts."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.networks import bottleneck
from stemjax.networks.bottleneck import BottleneckAutoencoder, DoublingConv, Down, Head, JointNorm, Mix, Up, Valid

HEADS = 17_977  # parameters of the three heads that the smaller count lacks


def draw(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def shape_of(module, *shape, **options):
    """Shapes of what a module gives for an image, and its number of parameters, without computing anything."""
    apply = lambda key, x: module.init_with_output(key, x, **options)
    output, variables = jax.eval_shape(apply, jax.random.key(0), jnp.zeros(shape))
    return jax.tree.map(lambda leaf: leaf.shape, output), sum(math.prod(v.shape) for v in jax.tree.leaves(variables))


# ---------------------------------------------------------------------------------------------------- the network
@pytest.mark.parametrize(("channels", "published"), [(1, 7_275_742), (4, 7_281_067), (16, 7_303_987), (64, 7_421_587)])
def test_the_parameters_are_those_of_the_published_network(channels, published):
    network = BottleneckAutoencoder(bottleneck=channels, heads=channels == 16)
    assert shape_of(network, 1, 32, 32, 1)[1] == published + HEADS * network.heads


def test_the_decoder_draws_at_four_resolutions():
    network = BottleneckAutoencoder(widths=(8, 16, 32, 64, 64), channels_out=3)
    assert network.factor == 16
    assert shape_of(network, 2, 64, 96, 3, pyramid=True)[0] == [(2, 64 // k, 96 // k, 3) for k in (1, 2, 4, 8)]
    assert shape_of(network, 2, 64, 96, 3)[0] == (2, 64, 96, 3)


@pytest.mark.parametrize(("downs", "side"), [(5, 4), (4, 8)])
def test_the_middle_is_as_small_as_the_papers(downs, side):
    """128 px become 4 x 4 with factor 32 and 8 x 8 with 16; nothing passes around it."""
    seen = []
    pair = bottleneck.Pair.__call__
    network = BottleneckAutoencoder(bottleneck=16, widths=(8, 16, 32, 64, 64, 64)[: downs + 1])

    def watched(self, x):
        y = pair(self, x)
        if self.name == "bottleneck":
            seen.append(y.shape)
        return y

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bottleneck.Pair, "__call__", watched)
        shape_of(network, 1, 128, 128, 1)
    assert seen == [(1, side, side, 16)]


def test_sides_that_the_network_cannot_halve_are_refused():
    with pytest.raises(ValueError, match="64 x 80 pixels: sides must be multiples of 32"):
        shape_of(BottleneckAutoencoder(), 1, 64, 80, 1)
    with pytest.raises(ValueError, match="2 features cannot be shared by 4 kernels"):
        shape_of(Mix(2, (1, 3, 5, 7)), 1, 8, 8, 1)


def test_the_sizes_of_the_layers():
    for n in (5, 8, 9):
        assert shape_of(Down(6), 1, n, n, 3)[0] == (1, (n - 1) // 2 + 1, (n - 1) // 2 + 1, 6)
        assert shape_of(Up(6), 1, n, n, 3)[0] == (1, 2 * n, 2 * n, 6)
        assert shape_of(Mix(8, (1, 3, 5, 7)), 1, n, n, 3)[0] == (1, n, n, 8)
        assert shape_of(Head(9, 2), 1, n, n, 3)[0] == (1, n, n, 2)


# ---------------------------------------------------------------------------------------------------- layers
@pytest.mark.parametrize("features", [3, 12])  # computed in blocks, and not
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_transposed_convolution_is_the_adjoint_of_a_convolution(kernel, features):
    """Without cropping: n becomes n + k - 1."""
    module, x = Valid(features, kernel, transposed=True), draw(2, 7, 6, 4)
    variables = module.init(jax.random.key(0), x)
    taps = variables["params"]["kernel"][::-1, ::-1]  # stored as a correlation reads it
    expected = np.zeros((2, 7 + kernel - 1, 6 + kernel - 1, features), np.float32)
    for row, column in np.ndindex(kernel, kernel):
        expected[:, row : row + 7, column : column + 6] += np.einsum("bhwc,cf->bhwf", x, taps[row, column])
    np.testing.assert_allclose(module.apply(variables, x), expected, atol=1e-5)


def test_doubling_is_the_adjoint_of_a_convolution_of_stride_2():
    module, x = DoublingConv(3), draw(2, 5, 4, 2)
    variables = module.init(jax.random.key(0), x)
    kernel = variables["params"]["kernel"]
    expected = np.zeros((2, 12, 10, 3), np.float32)
    for row, column in np.ndindex(4, 4):
        added = np.einsum("bhwc,cf->bhwf", x, kernel[row, column])
        expected[:, row : row + 10 : 2, column : column + 8 : 2] += added
    np.testing.assert_allclose(module.apply(variables, x), expected, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 7])
def test_blocks_give_the_same_as_pixels(kernel, stride):
    for height, width in ((9, 12), (13, 8)):
        x, weights = draw(2, height, width, 3), draw(kernel, kernel, 3, 2, seed=1)
        plain = bottleneck.correlate(x, weights, stride)
        np.testing.assert_allclose(bottleneck.correlate_blocks(x, weights, stride), plain, atol=1e-4)


def test_the_normalisation_is_over_the_whole_image_and_all_channels():
    module, x = JointNorm(), 3 + 2 * draw(2, 6, 5, 4)
    normalised = module.apply({"params": {"scale": jnp.float32(2), "bias": jnp.float32(-1)}}, x)
    mean, deviation = x.mean((1, 2, 3), keepdims=True), x.std((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(normalised, 2 * (x - mean) / (deviation + 1e-3) - 1, atol=1e-5)
    variables = {"params": {"scale": jnp.float32(1), "bias": jnp.float32(0)}}
    gradient = jax.grad(lambda x: module.apply(variables, x).sum())(jnp.ones((1, 4, 4, 2)))
    assert np.isfinite(gradient).all()  # of a constant image


def test_a_drawing_can_start_from_the_mean_of_the_image():
    image = 0.02 * (1 + 0.1 * draw(1, 16, 16, 1))
    widths = {"widths": (4, 4, 4), "trunk": 4, "residuals": 1}
    network = BottleneckAutoencoder(4, **widths, last_layer_scale=0.0, from_mean=True)
    first = jax.jit(lambda key, x: network.init_with_output(key, x, pyramid=True))
    pictures, variables = first(jax.random.key(0), image)
    for picture in pictures:
        np.testing.assert_allclose(picture, image.mean(), rtol=1e-5)
    plain = jax.jit(network.clone(from_mean=False).apply)(variables, image)
    np.testing.assert_allclose(plain, 0.5, rtol=1e-6)
