"""Every network: published size, determinism, shapes, independence of the batch, homogeneity without biases."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.networks import DURR, DnCNN, UNet
from stemjax.networks.weights import describe, parameter_count, variable_shapes

SMALL = [UNet(2, 4), UNet(2, 4, bias=True), DnCNN(4, 6), DnCNN(4, 6, bias=True), DURR(4), DURR(4, bias=False)]
BIAS_FREE = [network for network in SMALL if not network.bias]


def image(shape=(2, 20, 24, 1)):
    return jax.random.poisson(jax.random.key(7), 0.45, shape).astype(jnp.float32)


@functools.cache
def trained(network):
    """Variables as training might leave them: drawn by NumPy, since compiling initialisers is slow."""
    rng = np.random.default_rng(0)
    shapes = variable_shapes(network)
    params = jax.tree.map(lambda a: rng.uniform(-0.4, 0.4, a.shape).astype(np.float32), shapes["params"])
    statistics = jax.tree.map(lambda a: rng.uniform(0.1, 2, a.shape).astype(np.float32), shapes.get("batch_stats", {}))
    return {"params": params, "batch_stats": statistics}


def evaluate(network, x, variables=None):
    return jax.jit(network.apply)(variables or trained(network), x)


@pytest.mark.parametrize(
    ("network", "published"),
    [
        (UNet(2, 32), 102_336),
        (UNet(4, 32), 352_000),
        (UNet(4, 64, bias=True), 1_405_889),
        (UNet(4, 128), 5_610_496),
        (UNet(6, 128), 70_504_960),
        (UNet(6, 16), 1_103_936),
        (DnCNN(bias=True), 668_225),
        (DnCNN(), 667_008),
        (DURR(), 233_440),
        (DURR(bias=False), 233_024),
    ],
    ids=lambda value: describe(value) if isinstance(value, nn.Module) else str(value),
)
def test_published_parameter_count(network, published):
    assert parameter_count(network, published=True) == published


def test_unused_offsets_are_not_parameters():
    assert parameter_count(UNet(4, 32)) == 352_000 - 23 * 32
    assert parameter_count(UNet(6, 16)) == 1_103_936 - 77 * 16
    assert parameter_count(DnCNN()) == 667_008 - 1152
    assert parameter_count(UNet(4, 64, bias=True)) == 1_405_889


@pytest.mark.parametrize("network", SMALL, ids=describe)
def test_batch_of_n_is_n_batches_of_one(network):
    x = image()
    together = evaluate(network, x)
    alone = jnp.concatenate([evaluate(network, x[i : i + 1]) for i in range(len(x))])
    assert together.shape == x.shape and together.dtype == jnp.float32
    assert jnp.allclose(together, alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("network", BIAS_FREE, ids=describe)
def test_bias_free_network_is_homogeneous(network):
    x, factors = image(), jnp.array([0.01, 37.0])[:, None, None, None]
    expected = factors * evaluate(network, x)
    error = jnp.abs(evaluate(network, factors * x) - expected)
    assert (error <= 1e-5 * jnp.abs(expected).max((1, 2, 3), keepdims=True)).all()


def test_biased_network_is_not_homogeneous():
    network = UNet(2, 4, bias=True)
    assert not jnp.allclose(evaluate(network, 10 * image()), 10 * evaluate(network, image()), rtol=0.01)


@pytest.mark.parametrize("network", [UNet(2, 3), UNet(6, 2), DnCNN(3, 3), DURR(3)], ids=describe)
@pytest.mark.parametrize("shape", [(1, 64, 65, 1), (3, 101, 127, 1)])
def test_any_size_works(network, shape):
    variables, x = variable_shapes(network), jax.ShapeDtypeStruct(shape, jnp.float32)
    assert jax.eval_shape(network.apply, variables, x).shape == shape


def test_odd_size_is_the_even_one_where_the_border_is_far():
    x = image((1, 64, 64, 1))
    error = evaluate(DURR(4), x[:, :63, :61]) - evaluate(DURR(4), x)[:, :63, :61]
    assert jnp.abs(error[:, :30, :30]).max() <= 1e-6 and jnp.abs(error).max() > 1e-4


def test_initial_weights_are_a_function_of_the_key():
    init = jax.jit(DnCNN(3, 2).init)
    first, same, other = (init(jax.random.key(seed), image())["params"] for seed in (1, 1, 2))
    assert all(jax.tree.leaves(jax.tree.map(jnp.array_equal, first, same)))
    assert not all(jax.tree.leaves(jax.tree.map(jnp.array_equal, first, other)))


def test_last_layer_scale_acts_on_initial_weights_alone():
    network, shrunk = DnCNN(3, 2), DnCNN(3, 2, last_layer_scale=0.1)
    full, small = (jax.jit(n.init)(jax.random.key(3), image())["params"] for n in (network, shrunk))
    assert jnp.allclose(small["last_layer"]["kernel"], 0.1 * full["last_layer"]["kernel"])
    assert jnp.array_equal(small["first_layer"]["kernel"], full["first_layer"]["kernel"])
    assert jnp.array_equal(evaluate(shrunk, image(), trained(network)), evaluate(network, image()))


@pytest.mark.parametrize("network", [UNet(2, 4), DnCNN(4, 6), DURR(4)], ids=describe)
def test_residual_is_the_input_minus_the_output(network):
    residual = evaluate(network.clone(residual=True), image(), trained(network))
    assert jnp.allclose(residual, image() - evaluate(network, image()), atol=1e-5)


def test_illegal_unets_say_why():
    with pytest.raises(ValueError, match="2, 4 or 6 scales"):
        UNet(scales=3)
    with pytest.raises(ValueError, match="at least 16 pixels"):
        UNet(4, 2).init(jax.random.key(0), image((1, 15, 40, 1)))
