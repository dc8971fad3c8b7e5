"""Self2Self's network and the autoencoder: published size, partial convolutions, dropout, any size, field of view."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.metrics.field_of_view import supports
from stemjax.networks.autoencoder import Autoencoder
from stemjax.networks.self2self import PartialConv, Self2SelfUNet
from stemjax.networks.weights import parameter_count, variable_shapes

SMALL = Self2SelfUNet(width=6)


def images(*shape):
    return np.random.default_rng(0).random(shape).astype(np.float32)


def drawn(network):
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda a: rng.normal(0, 0.2, a.shape).astype(np.float32), variable_shapes(network))


def test_published_parameter_counts():
    assert parameter_count(Self2SelfUNet()) == 988_609
    assert parameter_count(Self2SelfUNet(channels_out=3)) == 991_203


@pytest.mark.parametrize("shared", [False, True], ids=["a mask of each channel", "one mask"])
def test_a_partial_convolution_is_the_sum_over_what_is_known(shared):
    x, rng = images(2, 6, 7, 3), np.random.default_rng(2)
    mask = (rng.random((2, 6, 7, 1 if shared else 3)) < 0.3).astype("f4")
    mask[0, :4, :4] = 0  # nothing known around [1, 1]
    kernel, bias = rng.normal(size=(3, 3, 3, 4)).astype("f4"), rng.normal(size=4).astype("f4")
    y, known = PartialConv(4).apply({"params": {"conv": {"kernel": kernel}, "bias": bias}}, x, mask)
    whole = np.broadcast_to(mask, x.shape)
    pad = [(0, 0), (1, 1), (1, 1), (0, 0)]
    values, present = np.pad(x * whole, pad), np.pad(whole, pad)
    for index in np.ndindex(2, 6, 7):
        b, r, c = index
        window = (b, slice(r, r + 3), slice(c, c + 3))
        total, count = np.einsum("ijc,ijco->o", values[window], kernel), present[window].sum()
        expected = bias + (total * 9 * 3 / count if count else 0)
        np.testing.assert_allclose(y[index], np.where(expected > 0, expected, 0.1 * expected), atol=1e-4)
        assert known[index] == (count > 0)
    assert known[0, 1, 1] == 0 and np.asarray(known).any()


def test_a_missing_value_is_not_seen_and_dropout_is_random_only_with_a_key():
    x, mask = images(1, 33, 20, 1), np.ones((1, 33, 20, 1), "f4")
    mask[:, ::2, ::3] = 0
    apply = jax.jit(lambda x, key: SMALL.apply(variables, x, mask, rngs={} if key is None else {"dropout": key}))
    variables, poisoned = drawn(SMALL), np.where(mask > 0, x, 7)
    kept = apply(x, None)
    assert kept.shape == x.shape and (0 <= kept).all() and (kept <= 1).all() and np.ptp(kept) > 0.1
    np.testing.assert_array_equal(apply(poisoned, None), kept)
    first, again, other = (apply(x, jax.random.key(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.allclose(first, other, atol=1e-3)


def test_field_of_view():
    for network, widths in ((Self2SelfUNet(), {256, 288}), (Autoencoder(2), {36}), (Autoencoder(4), {156, 172})):
        first, last = supports(network.geometry(), 1024)
        assert set((last - first + 1)[400:600]) == widths


# ---------------------------------------------------------------------------------------------------- autoencoder
@pytest.mark.parametrize(("blocks", "count"), [(2, 246_977), (3, 1_055_041), (4, 4_284_993)])
def test_features_double_with_every_block(blocks, count):
    network = Autoencoder(blocks)
    assert parameter_count(network) == count
    kernels = variable_shapes(network)["params"]
    assert [kernels[f"enc{b}b"]["kernel"].shape[-1] for b in range(blocks)] == [32 * 2**b for b in range(blocks)]
    assert kernels["middle"]["kernel"].shape[-2:] == (32 * 2 ** (blocks - 1),) * 2


def test_the_autoencoder_takes_any_size_and_normalises_by_what_it_was_trained_on():
    network, x = Autoencoder(2, width=3), images(2, 10, 13, 1)
    variables = jax.jit(network.init)(jax.random.key(0), x)
    trained, state = jax.jit(lambda x: network.apply(variables, x, train=True, mutable=["batch_stats"]))(x)
    evaluated = jax.jit(network.apply)(variables, x)
    assert trained.shape == evaluated.shape == x.shape and not np.allclose(trained, evaluated, atol=1e-3)
    assert not np.array_equal(state["batch_stats"]["middle_norm"]["mean"], np.zeros(6))
    with pytest.raises(ValueError, match="at least 1 block"):
        Autoencoder(0)


def test_nothing_goes_past_the_middle():
    """With the middle at zero the autoencoder gives the same everywhere inside, whatever it is shown."""
    network = Autoencoder(2, width=3)
    variables = jax.tree.map(jnp.asarray, drawn(network))
    params = variables["params"] | {"middle": {"kernel": jnp.zeros_like(variables["params"]["middle"]["kernel"])}}
    statistics = jax.tree.map(jnp.abs, variables["batch_stats"])
    apply = jax.jit(lambda x: network.apply({"params": params, "batch_stats": statistics}, x))
    np.testing.assert_array_equal(apply(images(1, 16, 16, 1)), apply(1 - images(1, 16, 16, 1)))
