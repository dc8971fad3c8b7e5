"""Rows of the Jacobian: closed forms for a filter, and the exact linear reading of bias-free networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.denoisers.gaussian import Gaussian
from stemjax.denoisers.supervised import Supervised
from stemjax.metrics.field_of_view import field_of_view
from stemjax.metrics.gradients import effective_field_of_view, intercept, jacobian_rows, support
from stemjax.networks import DURR, DnCNN, UNet

PIXELS = np.array([[24, 30], [40, 11]])
NOISY = np.random.default_rng(0).poisson(1.8, (64, 48)).astype(np.float32)


def trained_like(denoiser) -> dict:
    """Variables of an untrained network whose normalisation and biases are not those of its initialisation."""
    variables = denoiser.init(jax.random.key(0), jnp.zeros((1, 64, 64, 1)))
    leaves, tree = jax.tree.flatten(variables)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    return tree.unflatten(
        [leaf * jax.random.uniform(k, leaf.shape, minval=0.5, maxval=1.5) for k, leaf in zip(keys, leaves, strict=True)]
    )


def test_the_row_of_a_linear_filter_is_its_kernel():
    denoiser = Gaussian(sigma=2.0)
    denoised, rows = jacobian_rows(denoiser.denoise, {}, NOISY, PIXELS)
    point = np.zeros_like(NOISY)
    point[24, 30] = 1.0
    kernel = np.asarray(denoiser.denoise({}, jnp.asarray(point)[None, :, :, None]))[0, ..., 0]
    np.testing.assert_allclose(rows[0], kernel, atol=1e-6)  # a symmetric kernel, away from the border
    assert abs(intercept(denoised[24, 30], rows[0], NOISY)) < 1e-5


@pytest.mark.parametrize("network", [UNet(2, 4), DnCNN(5, 4)], ids=["UNet", "DnCNN"])
@pytest.mark.parametrize("centre", [False, True])
def test_bias_free_networks_are_read_linearly_and_exactly(network, centre):
    denoiser = Supervised(network, centre=centre)
    variables = trained_like(denoiser)
    denoised, rows = jacobian_rows(denoiser.denoise, variables, NOISY, PIXELS)
    for (row, column), gradient in zip(PIXELS, rows, strict=True):
        assert abs(intercept(denoised[row, column], gradient, NOISY)) < 1e-5
        assert abs(denoised[row, column]) > 1e-3


def test_the_linear_reading_holds_with_the_mean_held_fixed():
    denoiser = Supervised(UNet(2, 4), centre=True)
    variables = denoiser.prepare(trained_like(denoiser), NOISY[None, ..., None])
    denoised, rows = jacobian_rows(denoiser.denoise, variables, NOISY, PIXELS)
    mean = NOISY.mean()
    assert abs(intercept(denoised[24, 30] - mean, rows[0], NOISY - mean)) < 1e-5
    assert support(rows[0], PIXELS[0]) <= 53  # without `prepare` the mean makes every pixel count
    assert np.count_nonzero(jacobian_rows(denoiser.denoise, trained_like(denoiser), NOISY, PIXELS)[1][0]) == NOISY.size


@pytest.mark.parametrize("network", [DnCNN(5, 4, bias=True), DURR(4)], ids=["DnCNN", "DURR"])
def test_biases_leave_a_remainder(network):
    denoiser = Supervised(network)
    denoised, rows = jacobian_rows(denoiser.denoise, trained_like(denoiser), NOISY, PIXELS)
    assert abs(intercept(denoised[24, 30], rows[0], NOISY)) > 1e-3


@pytest.mark.parametrize(("network", "published"), [(DnCNN(5, 4, bias=True), 11), (DURR(4), 45)])
def test_the_gradient_stays_within_the_field_of_view_of_the_layers(network, published):
    assert field_of_view(network.geometry()) == published
    denoiser = Supervised(network)
    _, rows = jacobian_rows(denoiser.denoise, trained_like(denoiser), NOISY, PIXELS)
    assert 3 < support(rows[0], PIXELS[0]) <= published
    half, most = effective_field_of_view(rows[0], PIXELS[0], (0.5, 0.99))
    assert 1 <= half <= most <= support(rows[0], PIXELS[0])


def test_effective_field_of_view_of_a_known_gradient():
    row = np.zeros((41, 31))
    row[20, 15] = 3.0  # squared: 9 of 16
    row[17:24, 12] = row[17:24, 18] = np.sqrt(6 / 14)  # 6 of 16, at a reach of 3
    row[30, 15] = 1.0  # 1 of 16, at a reach of 10
    assert effective_field_of_view(row, (20, 15), (0.5, 0.9, 0.99)) == (1, 7, 21)
    assert support(row, (20, 15)) == 21 and support(row, (30, 15)) == 27
    with pytest.raises(ValueError, match="zero everywhere"):
        effective_field_of_view(np.zeros((5, 5)), (2, 2))


def test_one_program_serves_all_images_of_one_size():
    traces = []

    def denoise(variables, noisy):
        traces.append(noisy.shape)
        return noisy * variables["scale"]

    for scale in (2.0, 3.0):
        denoised, rows = jacobian_rows(denoise, {"scale": jnp.float32(scale)}, NOISY, PIXELS)
        assert rows[1, 40, 11] == scale and np.count_nonzero(rows) == 2
        np.testing.assert_array_equal(denoised, scale * NOISY)
    assert len(traces) == 1
