"""Layers shared by the networks, with the conventions of the published PyTorch checkpoints.

Every layer computes in the type of its input (parameters are cast to it), so one module serves float32, bfloat16
and float64.
"""

from __future__ import annotations

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from stemjax.networks.convolution import DIMENSION_NUMBERS, correlate, correlate_inside

EPSILON = 1e-5
MOMENTUM = 0.1


def fan_in_uniform(fan_in: int, scale: float = 1.0):
    """Initialiser of PyTorch's convolutions: U(-b, b) with b = scale / sqrt(fan_in), for weights and biases alike."""
    bound = scale / math.sqrt(fan_in)

    def init(key, shape, dtype=jnp.float32):
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


class Conv(nn.Module):
    """Cross-correlation [B, H, W, C] -> [B, H / stride, W / stride, features].

    The kernel is square and odd; the image is padded so that only the stride changes its size.

    Attributes
    ----------
    features, kernel, stride, dilation : int
        Output channels; side, step and tap spacing of the kernel in pixels.
    bias : bool
        Whether a constant is added per channel.
    padding : {"zero", "replicate"}
        What surrounds the image.
    init_scale : float
        Factor on the initial weights and biases.
    """

    features: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    bias: bool = False
    padding: str = "zero"
    init_scale: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (self.kernel, self.kernel, x.shape[-1], self.features)
        init = fan_in_uniform(math.prod(shape[:3]), self.init_scale)
        kernel = self.param("kernel", init, shape).astype(x.dtype)
        border = self.dilation * (self.kernel // 2)
        if self.padding == "replicate":
            y = correlate_inside(replicate_pad(x, border), kernel, self.stride, self.dilation)
        else:
            y = correlate(x, kernel, self.stride, self.dilation, border)
        if self.bias:
            y = y + self.param("bias", init, (self.features,)).astype(x.dtype)
        return y


class TransposedConv(nn.Module):
    """Transposed convolution with a 4 x 4 kernel, stride 2, padding 1: [B, H, W, C] -> [B, 2 H, 2 W, features].

    Computed as a correlation of the image with zeros between its pixels; `transposed_kernel` is stored as that
    correlation reads it, which is PyTorch's weight flipped in both directions.
    """

    features: int
    bias: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (4, 4, x.shape[-1], self.features)
        # PyTorch takes the output channels of a transposed kernel as its fan-in
        init = fan_in_uniform(4 * 4 * self.features)
        kernel = self.param("transposed_kernel", init, shape).astype(x.dtype)
        y = lax.conv_general_dilated(
            x, kernel, (1, 1), [(2, 2)] * 2, lhs_dilation=(2, 2), dimension_numbers=DIMENSION_NUMBERS
        )
        if self.bias:
            y = y + self.param("bias", init, (self.features,)).astype(x.dtype)
        return y


class BatchNorm(nn.Module):
    """Batch normalisation over N, H and W as PyTorch does it: y = scale (x - mean) / sqrt(var + 1e-5) + bias.

    Training divides by the biased variance of the batch and keeps running means (momentum 0.1) of its mean and unbiased
    variance, which evaluation uses. The batch is the global one: under jit a sharded batch gives the same statistics.
    """

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        features = x.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (features,))
        bias = self.param("bias", nn.initializers.zeros, (features,))
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, (features,))
        running_var = self.variable("batch_stats", "var", jnp.ones, (features,))
        mean, var = running_mean.value, running_var.value
        if train:
            mean, var, count = moments(x)
            update(self, running_mean, mean)
            update(self, running_var, var * (count / (count - 1)))
        factor = scale / jnp.sqrt(var + EPSILON)
        return (x * factor + (bias - mean * factor)).astype(x.dtype)


class BiasFreeBatchNorm(nn.Module):
    """Batch normalisation without any additive constant: y = scale x / (sqrt(var) + 1e-5).

    In evaluation it is homogeneous. `var` is the unbiased variance over N, H and W, taken about the mean although
    the mean is not subtracted from x; its gradient flows. Evaluation uses its running mean (momentum 0.1, initially
    1).

    Notes
    -----
    The authors' layer also holds an offset and a running mean that it never uses; here they do not exist
    (`weights.parameter_count` adds the offsets where the published number is wanted).

    References
    ----------
    Mohan, Kadkhodaie, Simoncelli, Fernandez-Granda, "Robust and interpretable blind image denoising via bias-free
    convolutional neural networks", ICLR 2020.
    """

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        features = x.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (features,))
        running_var = self.variable("batch_stats", "var", jnp.ones, (features,))
        var = running_var.value
        if train:
            _, biased_var, count = moments(x)
            var = biased_var * (count / (count - 1))
            update(self, running_var, var)
        return (x * (scale / (safe_sqrt(var) + EPSILON))).astype(x.dtype)


def batch_norm(bias: bool, name: str | None = None) -> nn.Module:
    """Ordinary batch normalisation for a network with biases, the bias-free one for a network without."""
    return BatchNorm(name=name) if bias else BiasFreeBatchNorm(name=name)


def moments(x: jax.Array) -> tuple[jax.Array, jax.Array, int]:
    """Mean and biased variance per channel [C] of x [B, H, W, C], at least in float32, and the number of values."""
    count = math.prod(x.shape[:-1])
    if count < 2:
        raise ValueError(
            "batch normalisation needs more than one value per channel in training: use larger crops or batches"
        )
    x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    mean = x.mean((0, 1, 2))
    return mean, jnp.square(x - mean).mean((0, 1, 2)), count


def update(module: nn.Module, running: nn.Variable, value: jax.Array) -> None:
    """Move a running statistic towards the batch's, except while the module is being initialised."""
    if not module.is_initializing():
        running.value = ((1 - MOMENTUM) * running.value + MOMENTUM * value).astype(running.value.dtype)


def safe_sqrt(x: jax.Array) -> jax.Array:
    """Square root whose gradient at 0 is 0 instead of infinite: a constant channel must not turn training into NaN."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1)), 0)


def replicate_pad(x: jax.Array, border: int) -> jax.Array:
    """Surround [B, H, W, C] by `border` copies of its edge pixels."""
    return jnp.pad(x, ((0, 0), (border, border), (border, border), (0, 0)), mode="edge")


def max_pool(x: jax.Array) -> jax.Array:
    """Maximum over 2 x 2 blocks: [B, H, W, C] -> [B, H // 2, W // 2, C]; an odd last row or column is dropped."""
    batch, height, width, channels = x.shape
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    # as a maximum over reshaped axes its derivative is a selection; that of a pooling window would be a scatter
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).max((2, 4))


def upsample(x: jax.Array, origin: jax.Array | None = None, size: jax.Array | None = None) -> jax.Array:
    """Bilinear interpolation to twice the size with the corner pixels aligned: [B, H, W, C] -> [B, 2 H, 2 W, C].

    Output i lies at i (s - 1) / (2 s - 1) of the s input pixels: output 2 k falls k / (2 s - 1) before input k, output
    2 k + 1 falls (s - 1 - k) / (2 s - 1) behind it. So both are pixel k plus a ramp times the difference to one
    neighbour.

    Where x is a tile, `origin` [2] is its first pixel (row, column) in the whole array and `size` [2] the whole's
    height and width; the tile is then interpolated as that part of the whole.
    """
    for axis in (1, 2):
        first, whole = (0, x.shape[axis]) if origin is None else (origin[axis - 1], size[axis - 1])
        x = _upsample_axis(x, axis, first, whole)
    return x


def _upsample_axis(x: jax.Array, axis: int, first: jax.Array | int, size: jax.Array | int) -> jax.Array:
    places = jnp.arange(x.shape[axis], dtype=jnp.promote_types(x.dtype, jnp.float32))  # bfloat16 counts to 256 only
    position = first + places.reshape([-1 if a == axis else 1 for a in range(x.ndim)])
    step = jnp.diff(x, axis=axis)
    before = jnp.pad(step, [(1, 0) if a == axis else (0, 0) for a in range(x.ndim)])
    behind = jnp.pad(step, [(0, 1) if a == axis else (0, 0) for a in range(x.ndim)])
    even = x - before * (position / (2 * size - 1)).astype(x.dtype)
    odd = x + behind * ((size - 1 - position) / (2 * size - 1)).astype(x.dtype)
    shape = [2 * n if a == axis else n for a, n in enumerate(x.shape)]
    return jnp.stack([even, odd], axis + 1).reshape(shape)


def zero_pad_to(x: jax.Array, height: int, width: int) -> jax.Array:
    """Add zero rows at the bottom and zero columns at the right up to [B, height, width, C]."""
    return jnp.pad(x, ((0, 0), (0, height - x.shape[1]), (0, width - x.shape[2]), (0, 0)))
