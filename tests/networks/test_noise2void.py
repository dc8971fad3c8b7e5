"""The UNet of Noise2Void: published sizes, field of view, its own layers, any image size, tiles, PyTorch weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from stemjax.apply import inference
from stemjax.denoisers.noise2void import Noise2Void
from stemjax.metrics.field_of_view import field_of_view, measured_support, positive, supports
from stemjax.networks import N2VUNet
from stemjax.networks.noise2void import average_pool, double, from_torch, keep_signal
from stemjax.networks.weights import parameter_count, variable_shapes

PAPER = N2VUNet()
SMALL = N2VUNet(depth=2, width=2, channels_out=1)


def images(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def drawn(network, channels=None):
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda a: rng.normal(0, 0.3, a.shape).astype(np.float32), variable_shapes(network, channels))


def apply(network, variables, x):
    return jax.jit(network.apply)(variables, x)


@pytest.mark.parametrize(
    ("network", "published"),
    [
        (PAPER, 31_446_018),
        (PAPER.clone(channels_out=1), 31_444_353),
        (PAPER.clone(groups=8), 31_457_794),
        (PAPER.clone(groups=8, channels_out=1), 31_456_129),
    ],
)
def test_published_parameter_count(network, published):
    assert parameter_count(network) == published


def test_separable_convolutions_and_a_missing_skip_save_parameters_and_aspp_costs_some():
    xception, open_ended, aspp = (
        parameter_count(PAPER.clone(**change))
        for change in ({"xception": True}, {"outer_skip": False}, {"aspp": (6, 12, 18)})
    )
    # the first block alone is as it was
    assert xception < 31_446_018 / 5
    assert open_ended == 31_446_018 - 9 * 64 * 64
    assert aspp == 31_446_018 + 1024**2 * (1 + 3 * 9 + 4) + 5 * 1024


def test_field_of_view_of_the_paper():
    """The support is 224 or 240 pixels wide by phase; twice its longer side plus one is 225 to 249 by position."""
    first, last = (ends[2000:2064] for ends in supports(PAPER.geometry(), 4096))
    pixel = np.arange(2000, 2064)
    extent = 2 * np.maximum(pixel - first, last - pixel) + 1
    assert set(last - first + 1) == {224, 240} and (extent.min(), extent.max()) == (225, 249)
    assert field_of_view(PAPER.geometry()) == 225


@pytest.mark.parametrize(
    "change",
    [
        {"depth": 2},
        {"pooling": "max", "upsampling": "transposed", "outer_skip": False, "xception": True, "aspp": (1, 2)},
    ],
)
def test_derivatives_reach_exactly_as_far_as_the_rule_says(change):
    network = N2VUNet(depth=1, width=1, channels_out=1).clone(**change)
    weights = positive(jax.tree.map(lambda a: a.astype(np.float64), drawn(network)))
    pixel, size = (40, 61), (80, 63)  # the second side is no multiple of 4
    boxes = measured_support(lambda x: network.apply(weights, x), size, pixel)
    for ends, n, p in zip(boxes, size, pixel, strict=True):
        first, last = supports(network.geometry(), n)
        assert ends == (first[p], last[p])


def test_pooling_is_the_mean_of_two_by_two_pixels():
    x = images(2, 6, 4, 3)
    expected = (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4
    np.testing.assert_allclose(average_pool(x), expected, atol=1e-6)


def test_doubling_interpolates_at_quarters_of_a_pixel():
    x = images(1, 5, 7, 2)
    expected = x
    for axis in (1, 2):
        size = x.shape[axis]
        place = (np.arange(2 * size) + 0.5) / 2 - 0.5
        expected = np.apply_along_axis(lambda a, p=place: np.interp(p, np.arange(len(a)), a), axis, expected)
    np.testing.assert_allclose(double(x), expected, atol=1e-6)


def test_every_variant_takes_any_size_and_pooling_matters():
    several = {"pooling": "max", "upsampling": "transposed", "xception": True, "aspp": (1, 2), "outer_skip": False}
    for change in ({}, {"groups": 2, "first_kernel": 3, "depth": 3}, several):
        network = N2VUNet(depth=2, width=4).clone(**change)
        x = jax.ShapeDtypeStruct((2, 37, 64, 2), jnp.float32)
        assert jax.eval_shape(network.apply, variable_shapes(network), x).shape == x.shape
    x = images(1, 16, 16, 1)
    average, maximum = (apply(SMALL.clone(pooling=pooling), drawn(SMALL), x) for pooling in ("average", "max"))
    assert not np.allclose(average, maximum, atol=1e-3)


def test_an_odd_image_is_the_mirrored_one_cropped():
    variables, x = drawn(SMALL), images(1, 22, 24, 1)
    mirrored = np.pad(x, [(0, 0), (0, 2), (0, 0), (0, 0)], mode="symmetric")
    np.testing.assert_allclose(apply(SMALL, variables, x), apply(SMALL, variables, mirrored)[:, :22], atol=1e-5)


def test_tiles_agree_with_the_whole_image():
    denoiser = Noise2Void(SMALL)
    image = images(150, 61, 1)  # neither is a multiple of 4
    whole = inference.denoise_image(denoiser, drawn(SMALL), image)
    tiled = inference.denoise_image(denoiser, drawn(SMALL), image, tile=64)
    assert inference._tiles(150, 64, inference.reach(SMALL, 150), 4)[0][1] < 150  # it was cut
    np.testing.assert_allclose(tiled, whole, atol=1e-5 * np.abs(whole).max())


@pytest.mark.parametrize("groups", [0, 1])
def test_weights_from_pytorch_come_by_their_order(groups):
    network = SMALL.clone(groups=groups)
    blocks = [(1, 2, 5), (2, 4, 3), (4, 8, 3), (12, 4, 3), (6, 2, 3)]  # channels in and out, kernel
    state, rng, place = {}, np.random.default_rng(0), 0
    for channels, features, kernel in blocks:
        for inputs in (channels, features):
            state[f"a.{place}.weight"] = rng.normal(size=(features, inputs, kernel, kernel))
            state[f"a.{place}.bias"] = rng.normal(size=features)
            if groups:
                state |= {f"a.{place}.gn.{name}": rng.normal(size=features) for name in ("weight", "bias")}
            place += 1
    state |= {"last.weight": rng.normal(size=(1, 2, 1, 1)), "last.bias": rng.normal(size=1)}
    params = from_torch(state, network)["params"]
    assert len(flatten_dict(params)) == len(state)
    expected = state["a.7.weight"].transpose(2, 3, 1, 0)  # the second one of the decoder's first block
    np.testing.assert_allclose(params["up1"]["conv2"]["kernel"], expected, rtol=1e-6)
    np.testing.assert_allclose(params["head"]["bias"], state["last.bias"], rtol=1e-6)
    if groups:
        np.testing.assert_allclose(params["down0"]["norm2"]["scale"], state["a.1.gn.weight"], rtol=1e-6)
    with pytest.raises(ValueError, match="layers"):
        from_torch({name: a for name, a in state.items() if "last" not in name}, network)
    with pytest.raises(ValueError, match=r"a\.7\.weight has shape"):
        from_torch(state | {"a.7.weight": state["a.0.weight"]}, network)
    with pytest.raises(ValueError, match="only the paper's network"):
        from_torch(state, network.clone(xception=True))


def test_groups_are_normalised_as_in_pytorch():
    """Each group of channels of each image by itself, with the biased variance and 1e-5."""
    x = images(2, 8, 8, 1)
    network = N2VUNet(depth=1, width=4, channels_out=1, groups=2)
    variables = drawn(network)
    _, inside = network.apply(variables, x, capture_intermediates=True)
    block = inside["intermediates"]["down0"]
    before, after = (np.asarray(block[name]["__call__"][0]) for name in ("conv1", "norm1"))
    grouped = before.reshape(2, 64, 2, 2)
    mean, variance = grouped.mean((1, 3), keepdims=True), grouped.var((1, 3), keepdims=True)
    normal = ((grouped - mean) / np.sqrt(variance + 1e-5)).reshape(before.shape)
    norm = variables["params"]["down0"]["norm1"]
    np.testing.assert_allclose(after, normal * norm["scale"] + norm["bias"], atol=1e-4)


def test_the_signal_is_kept_from_the_first_convolution_to_the_head():
    """PyTorch's initial weights let it fade to a hundredth; without biases what is left is the signal alone."""
    network, x = N2VUNet(depth=1, width=32, channels_out=1), images(1, 32, 32, 1)
    plain = jax.jit(network.init)(jax.random.key(0), x)["params"]
    strong = keep_signal(plain)
    no_bias = jax.tree.map(lambda a: a if a.ndim > 1 else 0 * a, plain)
    faded, kept = (float(jnp.std(apply(network, {"params": params}, x))) for params in (no_bias, strong))
    assert faded < 0.02 and 0.2 < kept < 2
    assert all(not array.any() for path, array in flatten_dict(strong).items() if path[-1] == "bias")
    assert np.array_equal(strong["head"]["kernel"], plain["head"]["kernel"])


def test_illegal_options_say_what_is_allowed():
    for change, message in (
        ({"pooling": "mean"}, "'average', 'max'"),
        ({"upsampling": "bilinear"}, "'resize', 'transposed'"),
        ({"aspp": True}, r"\(6, 12, 18\)"),
    ):
        with pytest.raises(ValueError, match=message):
            N2VUNet(**change)
