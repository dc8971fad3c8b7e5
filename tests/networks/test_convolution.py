"""The convolution of the networks against the plain operation, with derivatives of both orders and directions."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from stemjax.networks.convolution import PARTS, correlate
from stemjax.networks.layers import Conv, replicate_pad

CASES = [  # stride, dilation, side of the kernel
    (stride, dilation, side) for stride, dilation in ((1, 1), (2, 1), (1, 3)) for side in (1, 3, 5)
]


def plain(x, kernel, stride, dilation, border):
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
        x, kernel, (stride,) * 2, [(border, border)] * 2, rhs_dilation=(dilation,) * 2, dimension_numbers=numbers
    )


def arrays(side: int, batch: int = 3):
    rng = np.random.default_rng(side)
    shapes = (batch, 12, 10, 4), (side, side, 4, 5)
    return tuple(jnp.asarray(rng.normal(size=shape).astype(np.float32)) for shape in shapes)


def assert_close(found, wanted):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert np.allclose(a, b, rtol=1e-5, atol=2e-6 * np.abs(b).max())


@pytest.mark.parametrize("padding", ["zero", "replicate"])
@pytest.mark.parametrize(("stride", "dilation", "side"), CASES)
def test_a_layer_is_the_plain_convolution(padding, stride, dilation, side):
    x, kernel = arrays(side)
    border = dilation * (side // 2)
    layer = Conv(5, side, stride=stride, dilation=dilation, padding=padding)

    def reference(x, kernel):
        if padding == "replicate":
            return plain(replicate_pad(x, border), kernel, stride, dilation, 0)
        return plain(x, kernel, stride, dilation, border)

    def both(function):
        return jax.jit(jax.value_and_grad(lambda *arrays: jnp.sin(function(*arrays)).sum(), argnums=(0, 1)))(x, kernel)

    def ours(x, kernel):
        return layer.apply({"params": {"kernel": kernel}}, x)

    assert ours(x, kernel).shape == reference(x, kernel).shape
    assert_close(both(ours), both(reference))


@pytest.mark.parametrize("batch", [1, PARTS, PARTS + 1])
def test_the_gradient_of_the_kernel_is_a_sum_over_the_batch(batch):
    x, kernel = arrays(3, batch)
    gradients = [
        jax.jit(jax.grad(lambda kernel, f=f: jnp.sin(f(x, kernel, 1, 1, 1)).sum()))(kernel) for f in (correlate, plain)
    ]
    assert_close(*gradients)


def test_second_derivatives():
    x, kernel = arrays(3)

    def penalty(function, kernel):
        slope = jax.grad(lambda x: jnp.sin(function(x, kernel, 1, 1, 1)).sum())(x)
        return (slope**2).sum()

    assert_close(*(jax.jit(jax.grad(partial(penalty, f)))(kernel) for f in (correlate, plain)))


def test_forward_mode():
    (x, kernel), steps = arrays(3), arrays(3)
    for moved in ((True, True), (True, False), (False, True)):

        def along(function, moved=moved):
            def move(t):
                points = [a + t * step if yes else a for a, step, yes in zip((x, kernel), steps, moved, strict=True)]
                return function(*points, 1, 1, 1)

            return jax.jit(lambda: jax.jvp(move, (0.0,), (1.0,)))()

        assert_close(along(correlate), along(plain))


def test_in_loops_under_vmap_and_rematerialised():
    x, kernel = arrays(3)

    def gradient(function):
        def loss(kernel, x):
            convolve = jax.checkpoint(lambda y, _: (jnp.sin(function(y[..., :4], kernel, 1, 1, 1)), None))
            y = jnp.concatenate([x, x[..., :1]], -1)
            return lax.scan(convolve, y, length=3)[0].sum()

        return jax.jit(jax.vmap(jax.grad(loss), (None, 0)))(kernel, jnp.stack([x, 2 * x]))

    assert_close(gradient(correlate), gradient(plain))
