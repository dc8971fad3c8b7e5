"""What every denoiser of the presets keeps, whichever method it is. A new preset line is tested without a line here."""

import json
from copy import deepcopy
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from stemjax.apply import inference
from stemjax.config import from_config, to_config
from stemjax.denoisers import missing_package
from stemjax.denoisers.protocol import ask, is_trainable, takes_movies
from stemjax.denoisers.supervised import Supervised
from stemjax.models.presets import PRESETS
from stemjax.networks import DURR
from stemjax.networks.noise2atom import Generator
from tests.toys.noise2atom import PlainGenerator


def narrow(denoiser):
    """The same method with few channels and layers: the contracts do not depend on them.

    A generator of Noise2Atom, three of which are in its loss, compiles for a minute: another stands for it.
    """
    if ask(denoiser, "network") is None:
        return denoiser
    network = denoiser.network
    if isinstance(network, Generator):
        return replace(denoiser, network=PlainGenerator())
    small = {"width": 8, "depth": 2, "scales": 2, "blocks": 1}
    least = {name: min(value, getattr(network, name)) for name, value in small.items() if hasattr(network, name)}
    least |= {"widths": network.widths[:2]} if hasattr(network, "widths") else {}
    passes = {"passes": 3} if hasattr(denoiser, "passes") else {}
    return replace(denoiser, network=network.clone(**least), **passes)


DENOISERS = {name: narrow(preset.at("cpu")) for name, preset in PRESETS.items()}
# Presets that differ only in what `narrow` makes equal are one case.
DENOISERS = {
    name: denoiser
    for i, (name, denoiser) in enumerate(DENOISERS.items())
    if denoiser not in list(DENOISERS.values())[:i]
}
TRAINABLE = [name for name, denoiser in DENOISERS.items() if is_trainable(denoiser)]
CENTRED = [name for name in TRAINABLE if getattr(DENOISERS[name], "centre", False)]
BIAS_FREE = [name for name in TRAINABLE if not getattr(DENOISERS[name].network, "bias", True)]


def lattice(count: int, size: int, channels: int = 1, dose: float = 1.0) -> dict:
    """A batch of counts on a lattice of 10 px, each image of another phase, its channels differing in noise.

    `dose` divides the variance of the noise.
    """
    y, x = np.mgrid[:size, :size] * 2 * np.pi / 10
    shift = np.random.default_rng(0).uniform(0, 6, (2, count, 1, 1))
    clean = 1.8 + np.cos(x + shift[0]) * np.cos(y + shift[1])
    clean = np.repeat(clean[..., None], channels, -1)
    noisy = np.random.default_rng(1).poisson(dose * clean) / dose
    return {"clean": jnp.asarray(clean, jnp.float32), "noisy": jnp.asarray(noisy, jnp.float32)}


class Case:
    """A denoiser with variables that are not at their start, and its jitted methods that count their traces."""

    def __init__(self, name: str):
        self.denoiser, self.traces = DENOISERS[name], 0
        self.size = 16 if takes_movies(self.denoiser) else 32  # px; a movie has five frames
        channels = getattr(ask(self.denoiser, "network"), "channels_out", 1)
        # The loss of a self-supervised method never falls below the noise, which at this dose is nearly all there is.
        self.batch = lattice(3, self.size, channels, 20.0 if ask(self.denoiser, "self_supervised") else 1.0)
        if takes_movies(self.denoiser):  # movies: the lattice stands still, the noise does not
            frames = lattice(3 * 5, self.size, channels, 20.0)["clean"][::5, None]
            noisy = np.random.default_rng(1).poisson(20 * np.repeat(frames, 5, 1)) / 20
            self.batch = {"noisy": jnp.asarray(noisy, jnp.float32)}
        self.compiled = not ask(self.denoiser, "on_host")
        self.denoise = jax.jit(self._denoise) if self.compiled else self._denoise
        self.variables, self.losses = self._train() if name in TRAINABLE else ({}, [])

    def _denoise(self, variables, noisy):
        self.traces += 1
        return self.denoiser.denoise(variables, noisy if self.compiled else np.array(noisy))

    def _train(self, steps: int = 25):
        """Adam on one batch."""
        self.init = jax.jit(self.denoiser.init)
        variables, adam = self.init(jax.random.key(2), self.batch["noisy"][:1]), optax.flatten(optax.adam(4e-3))
        optimiser, losses = adam.init(variables["params"]), []

        @jax.jit
        def step(variables, optimiser, key):
            rest = {name: value for name, value in variables.items() if name != "params"}
            loss = lambda params: self.denoiser.loss(rest | {"params": params}, self.batch, key)
            (value, (state, measurements)), gradients = jax.value_and_grad(loss, has_aux=True)(variables["params"])
            updates, optimiser = adam.update(gradients, optimiser)
            return rest | state | {"params": optax.apply_updates(variables["params"], updates)}, optimiser, measurements

        for i in range(steps):
            variables, optimiser, measurements = step(variables, optimiser, jax.random.key(i))
            losses.append(float(measurements["loss"]))
        return variables, losses


@pytest.fixture(scope="module")
def case(request):
    if package := missing_package(DENOISERS[request.param]):
        pytest.skip(f"{request.param} needs the package {package}, which is not installed")
    return Case(request.param)


def each(names):
    return pytest.mark.parametrize("case", list(names), indirect=True, scope="module")


@each(TRAINABLE)
def test_init_depends_on_the_key_alone(case):
    first, again, other = (case.init(jax.random.key(seed), case.batch["noisy"][:1]) for seed in (1, 1, 2))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    differ = jax.tree.map(lambda a, b: not np.array_equal(a, b), first["params"], other["params"])
    assert any(jax.tree.leaves(differ))
    assert {leaf.dtype for leaf in jax.tree.leaves(first)} == {np.dtype("float32")}
    assert jax.tree.structure(first) == jax.tree.structure(case.variables)  # training adds no collection


@each(TRAINABLE)
def test_the_loss_is_finite_and_falls(case):
    assert np.isfinite(case.losses).all()
    assert np.mean(case.losses[-5:]) < 0.9 * np.mean(case.losses[:5])


@each(DENOISERS)
def test_shape_dtype_and_finiteness(case):
    denoised = case.denoise(case.variables, case.batch["noisy"])
    assert denoised.shape == case.batch["noisy"].shape and denoised.dtype == jnp.float32
    assert np.isfinite(denoised).all()
    assert not np.array_equal(denoised, case.batch["noisy"])


@each(DENOISERS)
def test_a_batch_is_its_images_one_by_one_without_a_new_trace(case):
    together = case.denoise(case.variables, case.batch["noisy"])
    alone = [case.denoise(case.variables, image[None])[0] for image in case.batch["noisy"]]
    np.testing.assert_allclose(together, np.stack(alone), rtol=1e-4, atol=2e-5)
    assert case.traces == 2 or not case.compiled  # one of each shape


@pytest.mark.parametrize("size", ["cpu", "gpu"])
@pytest.mark.parametrize("name", PRESETS)
def test_a_configuration_comes_back(name, size):
    denoiser = PRESETS[name].at(size)
    text = json.dumps(to_config(denoiser))
    again = from_config(json.loads(text))
    assert again == denoiser and hash(again) == hash(denoiser)
    assert json.dumps(to_config(again)) == text


@each(DENOISERS)
def test_an_equal_denoiser_runs_the_program_that_is_already_there(case):
    image = np.asarray(case.batch["noisy"][0])
    first = inference.denoise_image(case.denoiser, case.variables, image)
    programs = inference._denoise._cache_size()
    again = inference.denoise_image(deepcopy(case.denoiser), case.variables, image)
    np.testing.assert_array_equal(again, first)
    assert inference._denoise._cache_size() == programs


@each(CENTRED)
def test_a_centred_network_does_not_see_an_offset(case):
    denoised = case.denoise(case.variables, case.batch["noisy"])
    raised = case.denoise(case.variables, case.batch["noisy"] + 5)
    np.testing.assert_allclose(raised, denoised + 5, atol=1e-4)


@each(BIAS_FREE)
def test_a_bias_free_network_is_homogeneous(case):
    denoised = np.asarray(case.denoise(case.variables, case.batch["noisy"]))
    for factor in (1e-3, 4.0, 1e3):
        scaled = case.denoise(case.variables, factor * case.batch["noisy"])
        np.testing.assert_allclose(scaled / factor, denoised, atol=1e-5 * np.abs(denoised).max())


def test_prepare_makes_the_tiles_agree():
    """Centred on its own mean, a tile of an uneven image would come out at another level."""
    denoiser = Supervised(DURR(width=4), centre=True)
    ramp = np.linspace(0.2, 4.0, 128, dtype=np.float32)
    image = np.random.default_rng(0).poisson(np.broadcast_to(ramp, (64, 128))).astype(np.float32)[..., None]
    variables = denoiser.init(jax.random.key(0), image[None])
    whole = np.asarray(denoiser.denoise(variables, image[None]))[0]
    prepared = denoiser.prepare(variables, image[None])
    assert variables.keys() == {"params"} and float(prepared["normalisation"]["offset"].squeeze()) == pytest.approx(
        image.mean(), rel=1e-5
    )
    part = (slice(None), slice(64, 128))
    by_itself = np.asarray(denoiser.denoise(variables, image[part][None]))[0]
    assert np.abs(by_itself[:, -20:] - whole[part][:, -20:]).max() > 0.01
    tiled = inference.denoise_image(denoiser, variables, image, tile=64)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)
