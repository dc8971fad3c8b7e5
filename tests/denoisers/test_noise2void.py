"""Noise2Void: where it masks, what it fills in, that it is blind there, its loss, and that it denoises."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from stemjax.denoisers.noise2void import Noise2Void, normalisation
from stemjax.networks import N2VUNet

TINY = N2VUNet(depth=1, width=8, first_kernel=3)
DENSE = Noise2Void(TINY, pitch=4, jitter=0, window=5)
PAPER = Noise2Void(TINY, offset="none")


def images(*shape):
    return np.random.default_rng(0).normal(3, 2, shape).astype(np.float32)


def masks(denoiser, size, count):
    """How often each pixel is masked: [count, size, size]."""
    noisy = jnp.zeros((1, size, size, 1))
    keys = jax.random.split(jax.random.key(0), count)
    return np.asarray(jax.jit(jax.vmap(lambda key: denoiser._masked(key, noisy)[1][..., 0]))(keys))


@pytest.fixture(scope="module")
def variables():
    return jax.jit(DENSE.init)(jax.random.key(0), jnp.zeros((1, 16, 16, 2)))


# ---------------------------------------------------------------------------------------------------- places
def test_the_grid_of_the_paper():
    """18 x 18 pixels of 512 x 512, at most two from multiples of 26 and one step from the border."""
    rows, columns = (np.asarray(a).reshape(18, 18) for a in PAPER._grid(jax.random.key(0), 512, 512))
    grid = 26 * np.arange(1, 19)
    for shift in (rows - grid[:, None], columns - grid):
        assert set(np.unique(shift)) == {-2, -1, 0, 1}
        assert abs(shift.mean() + 0.5) < 0.25  # the upper end is exclusive
    assert not np.array_equal(rows - grid[:, None], (columns - grid).T)
    often = masks(PAPER, 80, 200)
    assert (often.sum((1, 2)) == 4).all()
    border = np.ones((80, 80), bool)
    border[24:54, 24:54] = False
    assert not often[:, border].any() and often.any(0).sum() == 4 * 16


@pytest.mark.parametrize(
    ("denoiser", "fraction"), [(DENSE, 1 / 16), (replace(DENSE, pitch=3, jitter=1), 1 / 16), (PAPER, None)]
)
def test_every_pixel_is_masked_equally_often(denoiser, fraction):
    often = masks(replace(denoiser, offset="random"), 23, 4000).mean(0)
    expected = fraction or 1 / 26**2
    error = np.sqrt(expected * (1 - expected) / 4000)
    assert np.abs(often - expected).max() < 5 * error


def test_a_new_key_moves_the_grid_and_the_same_key_does_not():
    first, again, other = (np.asarray(DENSE._grid(jax.random.key(seed), 23, 30)) for seed in (1, 1, 6))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


# ---------------------------------------------------------------------------------------------------- what is filled in
def window_values(noisy, mask, row, column, width):
    """What a fill may read around one pixel: [n, C]."""
    rows, columns = (range(max(p - width // 2, 0), p - width // 2 + width) for p in (row, column))
    inside = [(r, c) for r in rows for c in columns if r < mask.shape[0] and c < mask.shape[1]]
    return np.array([noisy[r, c] for r, c in inside if not mask[r, c]])


@pytest.mark.parametrize(
    ("denoiser", "size", "fill"),
    [
        (DENSE, 19, "mean"),
        (replace(DENSE, pitch=2, jitter=1), 16, "median"),  # masked pixels in the windows of others
        (replace(DENSE, pitch=2, jitter=1), 16, "neighbour"),
        (PAPER, 60, "mean"),
    ],
)
def test_fills_agree_with_a_slow_reference(denoiser, size, fill):
    noisy = images(2, size, size + 1, 2)
    masked, mask = map(np.asarray, jax.jit(replace(denoiser, fill=fill)._masked)(jax.random.key(3), noisy))
    mask = mask[..., 0]
    np.testing.assert_array_equal(masked[:, ~mask], noisy[:, ~mask])
    assert mask.any()
    for image, new in zip(noisy, masked, strict=True):
        for row, column in np.argwhere(mask):
            values = window_values(image, mask, row, column, denoiser.window)
            if fill == "neighbour":
                assert (new[row, column] == values).all(1).any()  # one pixel, whole
            else:
                np.testing.assert_allclose(new[row, column], getattr(np, fill)(values, 0), atol=1e-5)


def test_a_neighbour_is_any_pixel_of_the_window_but_the_middle():
    noisy = jnp.arange(81.0).reshape(1, 9, 9, 1)
    denoiser = replace(DENSE, pitch=26, window=3, fill="neighbour", offset="random")

    def one(key):
        return denoiser._filling(
            key, noisy, jnp.zeros((9, 9), bool).at[4, 4].set(True), jnp.array([4]), jnp.array([4])
        ).squeeze()

    drawn = np.asarray(jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), 4000)))
    places, counts = np.unique(drawn, return_counts=True)
    np.testing.assert_array_equal(places, [30, 31, 32, 39, 41, 48, 49, 50])
    assert np.abs(counts - 500).max() < 5 * np.sqrt(500)


# ---------------------------------------------------------------------------------------------------- blindness
@pytest.mark.parametrize("denoiser", [DENSE, replace(DENSE, pitch=2, jitter=1, fill="median"), PAPER])
def test_a_masked_pixel_is_predicted_without_any_of_its_channels(denoiser, variables):
    """The derivative of the prediction by the pixel is exactly 0; of the same network without the mask it is not."""
    size = 56 if denoiser is PAPER else 16
    noisy, key = jnp.asarray(images(1, size, size, 2)), jax.random.key(5)

    @jax.jit
    def derivatives(row, column):
        def prediction(pixel):
            changed = noisy.at[0, row, column].set(pixel)
            seen = jnp.concatenate([denoiser._masked(key, changed)[0], changed])
            return denoiser.network.apply(variables, seen)[:, row, column]

        return jax.jacobian(prediction)(noisy[0, row, column])

    places = np.argwhere(np.asarray(jax.jit(denoiser._masked)(key, noisy)[1][..., 0]))
    for row, column in places[:3]:
        with_mask, without = np.asarray(derivatives(row, column))
        assert with_mask.shape == (2, 2) and (with_mask == 0).all() and (without != 0).all()


# ---------------------------------------------------------------------------------------------------- loss
def test_the_loss_is_the_sum_of_the_channels_squared_errors_at_masked_pixels(variables):
    noisy, key = images(3, 20, 24, 2), jax.random.key(2)
    batch = {"noisy": noisy, "offset": np.float32([[[[3.0, 1.0]]]]), "scale": np.float32([[[[8.0, 4.0]]]])}
    loss, (state, measurements) = jax.jit(DENSE.loss)(variables, jax.tree.map(jnp.asarray, batch), key)
    normal = (noisy - batch["offset"]) / batch["scale"]
    masked, mask = DENSE._masked(key, jnp.asarray(normal))
    error = np.asarray(jax.jit(TINY.apply)(variables, masked)) - normal
    where = np.broadcast_to(np.asarray(mask)[..., 0], (3, 20, 24))
    expected = sum(np.mean(error[where][:, channel] ** 2) for channel in (0, 1))
    assert float(loss) == pytest.approx(expected, rel=1e-5) and measurements == {"loss": loss} and state == {}
    targets = np.random.default_rng(1).random((3, 20, 24, 1)) < 0.3
    part, _ = jax.jit(DENSE.loss)(variables, jax.tree.map(jnp.asarray, batch | {"targets": targets}), key)
    expected = sum(np.mean(error[where & targets[..., 0]][:, channel] ** 2) for channel in (0, 1))
    assert float(part) == pytest.approx(expected, rel=1e-5) and float(part) != pytest.approx(float(loss), rel=1e-3)


def test_pixels_that_are_not_masked_do_not_count(variables):
    """Where the grid misses the image, nothing is learnt and nothing becomes NaN."""
    sparse, batch = replace(DENSE, pitch=400), {"noisy": jnp.asarray(images(1, 8, 8, 2))}
    loss, gradient = jax.jit(jax.value_and_grad(lambda v: sparse.loss(v, batch, jax.random.key(0))[0]))(variables)
    assert float(loss) == 0 and all((np.asarray(leaf) == 0).all() for leaf in jax.tree.leaves(gradient))


# ---------------------------------------------------------------------------------------------------- normalisation
def test_the_normalisation_is_of_the_movie_and_makes_the_result_follow_its_unit(variables):
    movie = images(3, 16, 16, 2) * np.float32([1, 5]) + np.arange(3, dtype=np.float32)[:, None, None, None]
    prepared = DENSE.prepare(variables, jnp.asarray(movie))
    norm = prepared["normalisation"]
    np.testing.assert_allclose(norm["offset"], movie.mean((0, 1, 2), keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(norm["scale"], 4 * movie.std((0, 1, 2), keepdims=True), rtol=1e-5)
    denoise = jax.jit(DENSE.denoise)
    whole = denoise(prepared, movie)
    assert not np.allclose(whole, denoise(variables, movie), atol=1e-2)  # each frame by itself is another thing
    factor, shift = np.float32([2, 10]), np.float32([5, -3])
    other = movie * factor + shift
    again = denoise(DENSE.prepare(variables, jnp.asarray(other)), other)
    np.testing.assert_allclose(again, whole * factor + shift, rtol=1e-3, atol=1e-3)


def test_a_constant_channel_stays_constant(variables):
    noisy = jnp.asarray(images(1, 16, 16, 2)).at[..., 1].set(7.0)
    assert float(normalisation(noisy, (0, 1, 2))["scale"][0, 0, 0, 1]) == 1
    assert np.isfinite(jax.jit(DENSE.denoise)(variables, noisy)).all()
    assert np.isfinite(jax.jit(DENSE.loss)(variables, {"noisy": noisy}, jax.random.key(0))[0])


def test_a_strong_start_changes_the_initial_weights_alone(variables):
    strong = jax.jit(replace(DENSE, strong_start=True).init)(jax.random.key(0), jnp.zeros((1, 16, 16, 2)))
    ratio = strong["params"]["down0"]["conv1"]["kernel"] / variables["params"]["down0"]["conv1"]["kernel"]
    np.testing.assert_allclose(ratio, np.sqrt(6), rtol=1e-5)
    assert jax.tree.structure(strong) == jax.tree.structure(variables)


# ---------------------------------------------------------------------------------------------------- learning
def test_it_denoises_one_image_better_than_its_constant(variables):
    """Trained on one noisy picture of a lattice alone, it comes nearer to the clean one than noise or mean are."""
    y, x = np.mgrid[:48, :48] * 2 * np.pi / 8
    lattice = np.cos(x) * np.cos(y)
    clean = np.stack([1 + lattice, 5 - 2 * lattice], -1).astype(np.float32)[None]
    noise = np.random.default_rng(0).normal(0, 1, clean.shape) * [0.5, 1]
    batch = {"noisy": jnp.asarray(clean + noise, jnp.float32)}
    adam = optax.adam(3e-3)

    @jax.jit
    def update(params, state, key):
        gradient = jax.grad(lambda p: DENSE.loss({"params": p}, batch, key)[0])(params)
        updates, state = adam.update(gradient, state)
        return optax.apply_updates(params, updates), state

    params = variables["params"]
    state = adam.init(params)
    for step in range(150):
        params, state = update(params, state, jax.random.key(step))
    denoised = jax.jit(DENSE.denoise)({"params": params}, batch["noisy"])

    def error(image):
        return np.mean((np.asarray(image) - clean) ** 2, (0, 1, 2))

    assert (error(denoised) < 0.5 * error(clean.mean((1, 2), keepdims=True))).all()
    assert (error(denoised) < 0.5 * error(batch["noisy"])).all()


# ---------------------------------------------------------------------------------------------------- messages
def test_what_does_not_fit_says_so(variables):
    with pytest.raises(ValueError, match="images of 52 pixels, not 40 x 80: make the pitch smaller"):
        PAPER._grid(jax.random.key(0), 40, 80)
    with pytest.raises(ValueError, match="a network of 2 channels was given images of 1"):
        jax.eval_shape(lambda x: DENSE.denoise(DENSE.init(jax.random.key(0), x), x), jnp.zeros((1, 8, 8, 1)))
    for change, message in (
        ({"offset": "symmetric"}, "'random', 'none'"),
        ({"fill": "zero"}, "'mean', 'median', 'neighbour'"),
        ({"jitter": 4}, "jitter must be smaller"),
        ({"window": 2}, "at least 3"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(DENSE, **change)
