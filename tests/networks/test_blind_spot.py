"""UDVD and the network of Laine et al.: published sizes, blindness, homogeneity, field of view, any size of frame."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.metrics.field_of_view import measured_support, positive, supports
from stemjax.networks.blind_spot import BlindConv, from_all_sides
from stemjax.networks.laine import LaineNetwork, NoiseNetwork
from stemjax.networks.udvd import UDVDNetwork
from stemjax.networks.weights import parameter_count

SMALL, BLIND = UDVDNetwork(width=3), UDVDNetwork(width=3, square=False)
LAINE = LaineNetwork(width=3, outputs=1)


def movie(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@functools.cache
def drawn(network, frames=0):
    """Variables for one channel; `frames` for a network that takes movies. NumPy draws them: compiling is slow."""
    shape = (1, frames, 32, 32, 1) if frames else (1, 32, 32, 1)
    shapes = jax.eval_shape(network.init, jax.random.key(0), jax.ShapeDtypeStruct(shape, jnp.float32))
    rng = np.random.default_rng(1)
    he = lambda a: rng.normal(0, np.sqrt(2 / np.prod(a.shape[:-1])), a.shape).astype(np.float32)
    return jax.tree.map(he, shapes)


@pytest.mark.parametrize(
    ("network", "frames", "published"),
    [
        (UDVDNetwork(), 5, 2_123_664),
        (UDVDNetwork(channels_out=2), 5, 2_123_760),
        (UDVDNetwork(frames=3), 3, 1_121_424),
        (UDVDNetwork(frames=1), 1, 1_118_832),
    ],
)
def test_published_parameter_count_of_udvd(network, frames, published):
    leaves = jax.tree.leaves(
        jax.eval_shape(network.init, jax.random.key(0), jax.ShapeDtypeStruct((1, frames, 16, 16, 1), jnp.float32))
    )
    assert sum(leaf.size for leaf in leaves) == published


def test_published_parameter_count_of_laine():
    assert parameter_count(LaineNetwork(), 1) == 1_265_858
    assert parameter_count(LaineNetwork(outputs=9), 3) == 1_269_129
    assert parameter_count(NoiseNetwork(), 1) == 1_099_585


# ---------------------------------------------------------------------------------------------------- blindness
def derivatives(network, variables, size, frames=0):
    """Derivatives of all output pixels [P, H, W] by the pixel p of every frame, for all P = H W places p.

    The P directions are the images of one batch. In each a pixel moves in all frames, by different amounts.
    """
    pixels = np.prod(size)
    shape = (pixels, *((frames,) if frames else ()), *size, 1)
    x = np.broadcast_to(movie(1, *shape[1:]), shape)
    amounts = np.linspace(1, 2, frames or 1).reshape(*shape[1:-3], 1, 1, 1)
    step = np.eye(pixels, dtype="f4").reshape(pixels, *(1,) * (len(shape) - 4), *size, 1) * amounts
    _, moved = jax.jit(lambda x, step: jax.jvp(lambda y: network.apply(variables, y), (x,), (step,)))(
        x, step.astype("f4")
    )
    return np.asarray(moved).reshape(pixels, pixels)


def assert_blind(derivatives):
    assert (np.diagonal(derivatives) == 0).all()
    assert ((derivatives != 0).sum(0) > 5).all()


@pytest.mark.parametrize(("frames", "size"), [(1, (11, 11)), (5, (9, 12))])
def test_udvd_does_not_see_a_pixel_in_any_of_its_frames(frames, size):
    network = BLIND.clone(frames=frames)
    assert_blind(derivatives(network, drawn(network, frames), size, frames))


def test_the_last_layer_of_laine_can_start_small():
    image = jax.random.normal(jax.random.key(1), (1, 8, 8, 1))
    first, small = (
        jax.jit(network.init_with_output)(jax.random.key(0), image)[0]
        for network in (LAINE, LAINE.clone(last_layer_scale=0.1))
    )
    np.testing.assert_allclose(small, 0.1 * first, rtol=1e-5, atol=1e-7)


def test_laine_does_not_see_a_pixel():
    assert_blind(derivatives(LAINE, drawn(LAINE), (9, 12)))


def test_a_frame_continued_to_a_square_shows_a_pixel_its_mirror_image():
    """As the authors do it; their movies are square."""
    one, x = SMALL.clone(frames=1), movie(1, 1, 9, 14, 1)
    padded = np.pad(x, [(0, 0), (0, 0), (2, 3), (0, 0), (0, 0)], mode="reflect")
    apply = jax.jit(one.apply)
    part, whole = (apply(drawn(one, 1), y) for y in (x, padded))
    np.testing.assert_allclose(part, whole[:, :, 2:11], atol=1e-6)
    changed = x.copy()
    changed[:, :, 1, 3] += 5
    assert apply(drawn(one, 1), changed)[0, 0, 1, 3] != part[0, 0, 1, 3]
    with pytest.raises(ValueError, match="9 x 28 pixels cannot be continued to a square by reflection: use square=Fal"):
        jax.eval_shape(SMALL.apply, drawn(SMALL, 5), jnp.zeros((1, 5, 9, 28, 1)))


def test_one_more_row_below_changes_nothing_of_a_blind_convolution():
    """Against a plain sum: zeros above, the edge pixel beside."""
    x, kernel = movie(1, 5, 6, 2), movie(3, 3, 2, 4)
    y = BlindConv(4, active=False).apply({"params": {"kernel": kernel}}, x)
    padded = np.pad(np.pad(x, [(0, 0), (2, 0), (0, 0), (0, 0)]), [(0, 0), (0, 0), (1, 1), (0, 0)], mode="edge")
    expected = sum(padded[:, i : i + 5, j : j + 6] @ kernel[i, j] for i in range(3) for j in range(3))
    np.testing.assert_allclose(y, expected, atol=1e-5)


@pytest.mark.parametrize("size", [(4, 4), (4, 6)])
def test_four_sides_are_above_left_below_and_right(size):
    """`above` gives the sum of all rows of the column up to the pixel's own."""
    x = movie(2, *size, 1)
    above, left, below, right = np.moveaxis(np.asarray(from_all_sides(lambda y: jnp.cumsum(y, 1), x)), -1, 0)
    image = x[..., 0]
    np.testing.assert_allclose(above, np.cumsum(image, 1) - image, atol=1e-5)
    np.testing.assert_allclose(left, np.cumsum(image, 2) - image, atol=1e-5)
    np.testing.assert_allclose(below, image.sum(1, keepdims=True) - np.cumsum(image, 1), atol=1e-5)
    np.testing.assert_allclose(right, image.sum(2, keepdims=True) - np.cumsum(image, 2), atol=1e-5)


# ---------------------------------------------------------------------------------------------------- other theory
def test_udvd_without_biases_is_homogeneous_and_sees_five_frames():
    variables, x = drawn(SMALL, 5), movie(1, 6, 16, 16, 1)
    apply = jax.jit(SMALL.apply)
    y = np.asarray(apply(variables, x))
    assert y.shape == (1, 2, 16, 16, 1)
    for factor in (1e-3, 1e3):
        np.testing.assert_allclose(apply(variables, factor * x) / factor, y, atol=1e-5 * np.abs(y).max())
    assert np.abs(apply(variables, x + 1) - y).max() > 1e-2
    clips = np.concatenate([x[:, :5], x[:, 1:]])  # what two frames of a movie see
    np.testing.assert_allclose(apply(variables, clips)[:, 0], y[0], atol=1e-6)


def test_the_field_of_view_of_udvd_and_laine():
    """SPEC: 286 or 290 pixels with five frames, 142 or 146 with one."""
    for network, widths in ((UDVDNetwork(), {286, 290}), (UDVDNetwork(frames=1), {142, 146})):
        first, last = supports(network.geometry(), 1024)
        assert set((last - first + 1)[400:600]) == widths


def test_derivatives_reach_exactly_as_far_as_the_rule_says():
    network, size, pixel = UDVDNetwork(frames=1, width=1), (216, 216), (110, 61)
    weights = positive(jax.tree.map(lambda a: a.astype(np.float64), drawn(network, 1)))
    boxes = measured_support(lambda x: network.apply(weights, x[:, None])[:, 0], size, pixel)
    for ends, n, p in zip(boxes, size, pixel, strict=True):
        first, last = supports(network.geometry(), n)
        assert ends == (first[p], last[p])


def test_illegal_options_say_what_is_allowed():
    with pytest.raises(ValueError, match="1, 3 or 5 frames, not 4"):
        UDVDNetwork(frames=4)
