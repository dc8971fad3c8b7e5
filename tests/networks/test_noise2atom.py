"""Generator and critic of Noise2Atom: the published sizes, and what their first weights are."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.networks.noise2atom import Critic, Generator, initial
from stemjax.networks.weights import parameter_count

SMALL = {"generator": Generator(width=4, residuals=1), "critic": Critic(width=4)}


def shapes(network, side: int):
    key, sample = jax.random.key(0), jax.ShapeDtypeStruct((1, side, side, 1), jnp.float32)
    return jax.eval_shape(lambda x: network.init({"params": key, "dropout": key}, x), sample)["params"]


def test_the_published_numbers_of_parameters():
    critic = sum(leaf.size for leaf in jax.tree.leaves(shapes(Critic(), 128)))
    assert (parameter_count(Generator()), critic) == (13_780_111, 636_237)


def test_images_of_any_size_keep_it():
    generator = SMALL["generator"]
    params = shapes(generator, 16)
    image = jax.ShapeDtypeStruct((2, 19, 8, 1), jnp.float32)
    assert jax.eval_shape(lambda p, x: generator.apply({"params": p}, x), params, image).shape == (2, 19, 8, 1)


@pytest.mark.parametrize("name", SMALL)
def test_the_first_weights_are_those_of_glorot(name):
    """One draw for all layers has the shapes, the bounds and the spread that a draw for each would have."""
    network, sample = SMALL[name], jnp.zeros((1, 16, 16, 1))
    first = jax.jit(lambda key: initial(network, sample, key))(jax.random.key(1))
    assert jax.tree.map(jnp.shape, first) == jax.tree.map(jnp.shape, shapes(network, 16))
    scaled = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(first):
        kind = path[-1].key
        if kind != "kernel":
            np.testing.assert_array_equal(leaf, float(kind == "scale"))
            continue
        scaled.append(np.ravel(leaf) * math.sqrt(math.prod(leaf.shape[:-2]) * sum(leaf.shape[-2:]) / 6))
        assert np.abs(scaled[-1]).max() <= 1
    assert np.concatenate(scaled).std() == pytest.approx(1 / math.sqrt(3), rel=0.05)  # uniform from -1 to 1
    other = jax.jit(lambda key: initial(network, sample, key))(jax.random.key(2))
    assert not any(np.array_equal(a, b) for a, b in zip(*map(kernels, (first, other)), strict=True))


def kernels(params) -> list:
    return [leaf for path, leaf in jax.tree_util.tree_leaves_with_path(params) if path[-1].key == "kernel"]


def test_a_critic_forgets_some_features_while_it_is_trained():
    critic, images = SMALL["critic"], jax.random.normal(jax.random.key(0), (2, 16, 16, 1))
    params = initial(critic, images, jax.random.key(1))
    judge = jax.jit(lambda key: critic.apply({"params": params}, images, rngs={"dropout": key}))
    plain = jax.jit(lambda: critic.apply({"params": params}, images, deterministic=True))()
    one, other = judge(jax.random.key(0)), judge(jax.random.key(1))
    assert plain.shape == (2,) and not np.allclose(one, other) and not np.allclose(one, plain)
