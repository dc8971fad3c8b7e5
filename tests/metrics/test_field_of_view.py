"""Fields of view: the published values, and interval arithmetic against exact derivatives of the networks."""

import jax
import numpy as np
import pytest

from stemjax.metrics.field_of_view import field_of_view, measured_support, positive, supports
from stemjax.networks import DURR, DnCNN, UNet
from stemjax.networks.weights import variable_shapes


def positive_apply(network):
    rng = np.random.default_rng(0)
    variables = jax.tree.map(lambda a: rng.normal(size=a.shape), variable_shapes(network))
    return lambda x: network.apply(positive(variables), x)


@pytest.mark.parametrize(
    ("network", "published"),
    [(UNet(scales=2), 49), (UNet(scales=4), 221), (UNet(scales=6), 893), (DnCNN(), 41), (DURR(), 45)],
)
def test_published_field_of_view(network, published):
    assert field_of_view(network.geometry()) == published


@pytest.mark.parametrize(("scales", "widths"), [(2, {48, 52}), (4, {220, 236}), (6, {892, 956})])
def test_support_of_a_unet_has_two_widths(scales, widths):
    first, last = supports(UNet(scales=scales).geometry(), 4096)
    assert set(np.unique((last - first + 1)[1500:2500])) == widths


@pytest.mark.parametrize(
    ("network", "size", "pixel", "published"),
    [
        (UNet(2, 1), (64, 61), (33, 0), 49),
        (UNet(2, 1), (57, 64), (28, 32), 53),  # the other phase, with the larger support
        (UNet(4, 1), (256, 49), (127, 24), 221),
        (DnCNN(width=1), (48, 63), (24, 62), 41),
        (DURR(1), (64, 61), (32, 30), 45),
        (DURR(1), (63, 64), (33, 1), 47),
    ],
)
def test_derivatives_reach_exactly_as_far_as_the_rule_says(network, size, pixel, published):
    boxes = measured_support(positive_apply(network), size, pixel)
    for ends, n, p in zip(boxes, size, pixel, strict=True):
        first, last = supports(network.geometry(), n)
        assert ends == (first[p], last[p])
    first, last = boxes[0]
    assert 2 * max(pixel[0] - first, last - pixel[0]) + 1 == published


def test_field_of_view_refuses_what_it_cannot_tell():
    with pytest.raises(ValueError, match="no layer"):
        field_of_view((("attention",),))
    with pytest.raises(ValueError, match="choose a larger size"):
        field_of_view((("conv", 3),) * 40, size=64)
