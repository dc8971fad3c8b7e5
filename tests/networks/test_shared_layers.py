"""Shared layers against their definitions, written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.networks.layers import BatchNorm, BiasFreeBatchNorm, Conv, TransposedConv, max_pool, upsample
from stemjax.networks.weights import ARRAYS


def features(shape=(3, 5, 7, 4)):
    return np.random.default_rng(0).normal(2, 3, shape).astype(np.float32)


def test_initial_weights_have_the_range_of_pytorch():
    params = Conv(32, 5, bias=True).init(jax.random.key(0), jnp.zeros((1, 8, 8, 4)))["params"]
    bound = 1 / np.sqrt(5 * 5 * 4)
    for array, tolerance in ((params["kernel"], 0.01), (params["bias"], 0.2)):
        assert np.abs(array).max() <= bound and np.abs(array).max() > (1 - tolerance) * bound
    assert np.isclose(params["kernel"].std(), bound / np.sqrt(3), rtol=0.05)


def test_bias_free_norm_divides_by_the_unbiased_deviation_and_subtracts_nothing():
    x = features()
    norm = BiasFreeBatchNorm()
    variables = norm.init(jax.random.key(0), x, train=False)
    assert np.allclose(norm.apply(variables, x, train=False), x / (1 + 1e-5), rtol=1e-6)
    y, state = norm.apply(variables, x, train=True, mutable=["batch_stats"])
    var = x.var((0, 1, 2), ddof=1)
    assert np.allclose(y, x / (np.sqrt(var) + 1e-5), rtol=1e-5)
    assert np.allclose(state["batch_stats"]["var"], 0.9 + 0.1 * var, rtol=1e-5)


def test_ordinary_norm_keeps_the_unbiased_variance():
    x = features()
    norm = BatchNorm()
    variables = norm.init(jax.random.key(0), x, train=False)
    y, state = norm.apply(variables, x, train=True, mutable=["batch_stats"])
    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    assert np.allclose(y, (x - mean) / np.sqrt(var + 1e-5), atol=1e-5)
    assert np.allclose(state["batch_stats"]["mean"], 0.1 * mean, rtol=1e-5)
    assert np.allclose(state["batch_stats"]["var"], 0.9 + 0.1 * x.var((0, 1, 2), ddof=1), rtol=1e-5)
    held = {"params": variables["params"], "batch_stats": {"mean": mean, "var": var}}
    assert np.allclose(norm.apply(held, x, train=False), (x - mean) / np.sqrt(var + 1e-5), atol=1e-5)


@pytest.mark.parametrize("norm", [BatchNorm(), BiasFreeBatchNorm()])
def test_constant_channel_has_a_finite_gradient(norm):
    x = jnp.ones((1, 4, 4, 2))
    variables = norm.init(jax.random.key(0), x, train=False)

    def loss(x):
        return (norm.apply(variables, x, train=True, mutable=["batch_stats"])[0] ** 2).sum()

    assert np.isfinite(jax.grad(loss)(x)).all()


def test_normalising_a_single_value_is_refused():
    x = jnp.ones((1, 1, 1, 2))
    norm = BiasFreeBatchNorm()
    with pytest.raises(ValueError, match="more than one value"):
        norm.apply(norm.init(jax.random.key(0), x, train=False), x, train=True, mutable=["batch_stats"])


@pytest.mark.parametrize("shape", [(1, 6, 9, 2), (2, 1, 2, 1)])
def test_upsample_aligns_the_corners(shape):
    x = features(shape)
    expected = x
    for axis in (1, 2):
        size = x.shape[axis]
        position = np.linspace(0, size - 1, 2 * size)
        expected = np.apply_along_axis(lambda a, p=position, s=size: np.interp(p, np.arange(s), a), axis, expected)
    assert np.allclose(upsample(jnp.asarray(x)), expected, atol=1e-5)


def test_max_pool_drops_an_odd_last_row():
    x = features((1, 5, 6, 2))
    pooled = np.asarray(max_pool(jnp.asarray(x)))
    assert pooled.shape == (1, 2, 3, 2)
    assert np.array_equal(pooled[0, 1, 2], x[0, 2:4, 4:6].max((0, 1)))


def test_replicate_padding_keeps_a_constant_image_constant():
    layer = Conv(2, 3, padding="replicate")
    x = jnp.full((1, 6, 5, 1), 2.0)
    y = layer.apply(layer.init(jax.random.key(0), x), x)
    assert np.allclose(y, y[:, 3:4, 2:3])


def test_transposed_conv_spreads_each_pixel_by_the_pytorch_weight():
    rng = np.random.default_rng(1)
    x, weight = rng.normal(size=(3, 4, 2)), rng.normal(size=(2, 5, 4, 4))  # weight [in, out, rows, columns]
    full = np.zeros((2 * 3 + 2, 2 * 4 + 2, 5))
    for row in range(3):
        for column in range(4):
            stamp = np.einsum("i,iohw->hwo", x[row, column], weight)
            full[2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += stamp
    params = {"transposed_kernel": jnp.asarray(ARRAYS["transposed_kernel"][1](weight), jnp.float32)}
    y = TransposedConv(5).apply({"params": params}, jnp.asarray(x, jnp.float32)[None])
    assert np.allclose(y[0], full[1:-1, 1:-1], atol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_layers_compute_in_the_type_of_their_input(dtype):
    x = jnp.ones((1, 4, 4, 1), dtype)
    layer = Conv(2, 3, bias=True)
    assert layer.apply(layer.init(jax.random.key(0), x), x).dtype == dtype
    norm = BiasFreeBatchNorm()
    variables = norm.init(jax.random.key(0), x, train=False)
    y, state = norm.apply(variables, x, train=True, mutable=["batch_stats"])
    assert y.dtype == upsample(x).dtype == dtype
    assert state["batch_stats"]["var"].dtype == jnp.float32
