"""Supervised training: it learns, and its options loss, precision and rematerialisation do what they say."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from stemjax.config import from_config, to_config
from stemjax.denoisers.supervised import Supervised
from stemjax.networks import DURR, DnCNN, UNet
from stemjax.networks.layers import upsample
from stemjax.physics.noise import Poisson

PLAIN = Supervised(UNet(scales=2, width=4), centre=True)


@pytest.fixture(scope="module")
def batch():
    clean = 1.8 + np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 1)).astype(np.float32)
    return {"clean": jnp.asarray(clean), "noisy": jnp.asarray(np.random.default_rng(1).poisson(clean), jnp.float32)}


@pytest.fixture(scope="module")
def variables(batch):
    return jax.jit(PLAIN.init)(jax.random.key(0), batch["noisy"])


def gradient(denoiser, variables, batch):
    def loss(params):
        return denoiser.loss(variables | {"params": params}, batch, jax.random.key(0))[0]

    value, slope = jax.jit(jax.value_and_grad(loss))(variables["params"])
    return float(value), slope


def test_the_losses_are_the_mean_squared_and_the_mean_absolute_error(variables, batch):
    """Of the output in training, which the mean squared error of a shifted target recovers."""
    mae = replace(PLAIN, objective="mae")
    losses = jax.jit(lambda batch: [denoiser.loss(variables, batch, None)[0] for denoiser in (PLAIN, mae)])
    squared, absolute = map(float, losses(batch))
    assert absolute <= np.sqrt(squared)
    shift = 100.0  # far above every error: the absolute error moves by as much, to first order the squared by its mean
    shifted = batch | {"clean": batch["clean"] - shift}
    moved_squared, moved = map(float, losses(shifted))
    mean_error = (moved_squared - squared - shift**2) / (2 * shift)
    assert moved == pytest.approx(shift + mean_error, rel=1e-4)


def test_rematerialisation_changes_neither_variables_nor_gradient(variables, batch):
    saving = replace(PLAIN, network=PLAIN.network.clone(rematerialise=True))
    assert jax.tree.structure(jax.eval_shape(saving.init, jax.random.key(0), batch["noisy"])) == jax.tree.structure(
        variables
    )
    (loss, expected), (other_loss, found) = (gradient(d, variables, batch) for d in (PLAIN, saving))
    assert loss == pytest.approx(other_loss, rel=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), found, expected)
    text = str(jax.make_jaxpr(lambda v: saving.loss(v, batch, None)[0])(variables))
    assert "checkpoint" in text or "remat" in text


def test_bfloat16_is_near_float32_and_keeps_its_parameters(variables, batch):
    half = replace(PLAIN, precision="bfloat16")
    (loss, expected), (other_loss, found) = (gradient(d, variables, batch) for d in (PLAIN, half))
    assert loss == pytest.approx(other_loss, rel=0.02) and loss != other_loss
    flat, other = (np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)]) for tree in (expected, found))
    assert other.dtype == np.float32 and np.corrcoef(flat, other)[0, 1] > 0.99
    denoised, plain = (jax.jit(d.denoise)(variables, batch["noisy"]) for d in (half, PLAIN))
    assert denoised.dtype == np.float32
    np.testing.assert_allclose(denoised, plain, atol=0.1)
    _, (state, _) = jax.eval_shape(lambda variables: half.loss(variables, batch, None), variables)
    assert {leaf.dtype for leaf in jax.tree.leaves(state)} == {np.dtype("float32")}


def test_bfloat16_interpolates_wide_images_in_the_right_places():
    """It counts exactly to 256 only: a position beyond must not be rounded."""
    ramp = jnp.broadcast_to(jnp.linspace(0, 1, 600)[:, None], (600, 2))[None, ..., None]
    found = upsample(ramp.astype(jnp.bfloat16)).astype(jnp.float32)
    np.testing.assert_allclose(found, upsample(ramp), atol=0.006)


def test_options_are_part_of_a_configuration_only_where_they_are_used():
    assert set(to_config(PLAIN)) == {"class", "network", "centre"}
    options = replace(PLAIN, precision="bfloat16", network=PLAIN.network.clone(rematerialise=True))
    assert from_config(to_config(options)) == options


@pytest.mark.parametrize(
    "network",
    [UNet(scales=2, width=8, last_layer_scale=0.1), DURR(width=8, last_layer_scale=0.1), DnCNN(depth=5, width=16)],
    ids=["unet", "durr", "dncnn"],
)
def test_a_network_learns_one_image_by_heart(network):
    """What cannot do that is wired wrongly; noise and image are the same in every step."""
    y, x = np.mgrid[:32, :32]
    clean = jnp.asarray(2 + np.sin(x / 2) * np.cos(y / 3), jnp.float32)[None, ..., None]
    batch = {"clean": clean, "noisy": Poisson().sample(jax.random.key(0), clean)}
    denoiser, adam = Supervised(network, centre=True), optax.adam(4e-3)
    variables = jax.jit(denoiser.init)(jax.random.key(1), batch["noisy"])
    optimiser = adam.init(variables["params"])

    @jax.jit
    def step(variables, optimiser):
        rest = {name: value for name, value in variables.items() if name != "params"}
        loss = lambda params: denoiser.loss(rest | {"params": params}, batch, jax.random.key(2))
        (value, (state, _)), gradients = jax.value_and_grad(loss, has_aux=True)(variables["params"])
        updates, optimiser = adam.update(gradients, optimiser)
        return rest | state | {"params": optax.apply_updates(variables["params"], updates)}, optimiser, value

    for _ in range(300):
        variables, optimiser, value = step(variables, optimiser)
    assert value < 0.02 * jnp.var(batch["noisy"] - clean)
