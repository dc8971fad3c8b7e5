"""Autoencoder of Wang et al. without skips, and the layers that it shares with their Noise2Atom.

Its convolutions are never padded: a transposed one makes the image larger by what the next one takes away.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from stemjax.networks.layers import DIMENSION_NUMBERS, safe_sqrt

SLOPE = 0.2
EPSILON = 1e-3
FEW = 8  # features, up to which convolutions are computed in blocks
HEADS = (9, 7, 5, 3)  # kernels of the heads at 1, 1/2, 1/4 and 1/8 of the resolution


class JointNorm(nn.Module):
    """Normalisation of each image over height, width and channels together: y = scale (x - mean) / (std + 1e-3) + bias.

    scale and bias are one number each. The statistics are of the whole array: a tile comes out otherwise than the same
    place of the whole image.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, H, W, C] -> the same shape."""
        scale = self.param("scale", nn.initializers.ones, ())
        bias = self.param("bias", nn.initializers.zeros, ())
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        mean = wide.mean((1, 2, 3), keepdims=True)
        deviation = safe_sqrt(jnp.square(wide - mean).mean((1, 2, 3), keepdims=True))
        factor = scale / (deviation + EPSILON)
        return (wide * factor + (bias - mean * factor)).astype(x.dtype)


class Valid(nn.Module):
    """Convolution without padding, with a bias: side n -> (n - kernel) // stride + 1; the stride is 1 or 2.

    `transposed` is the transposed convolution of stride 1, n -> n + kernel - 1: the convolution of the image
    surrounded by kernel - 1 zeros. Initial weights are Glorot's times `init_scale`.
    """

    features: int
    kernel: int
    stride: int = 1
    transposed: bool = False
    init_scale: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, H, W, C] -> [B, H', W', features]."""
        init = nn.initializers.variance_scaling(self.init_scale**2, "fan_avg", "uniform")
        kernel = self.param("kernel", init, (self.kernel, self.kernel, x.shape[-1], self.features)).astype(x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(x.dtype)
        if self.transposed:
            x = zero_pad(x, self.kernel - 1)
        in_blocks = self.stride > 1 or (self.kernel > 1 and self.features <= FEW)
        return (correlate_blocks if in_blocks else correlate)(x, kernel, self.stride) + bias


class DoublingConv(nn.Module):
    """Transposed convolution of kernel 4 and stride 2, uncropped: [B, H, W, C] -> [B, 2 H + 2, 2 W + 2, features].

    Output pixel 2 i + a, a in {0, 1}, takes input pixels i and i - 1 with kernel rows a and a + 2. So the four phases
    are four convolutions of 2 x 2, computed as one, without the zeros between pixels.
    """

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        batch, height, width, channels = x.shape
        kernel = self.param("kernel", nn.initializers.glorot_uniform(), (4, 4, channels, self.features)).astype(x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(x.dtype)
        # [row tap, row phase, column tap, column phase, in, out]; a correlation meets pixel i - 1 first
        taps = kernel.reshape(2, 2, 2, 2, channels, self.features)[::-1, :, ::-1]
        taps = taps.transpose(0, 2, 4, 1, 3, 5).reshape(2, 2, channels, 4 * self.features)
        y = correlate(zero_pad(x, 1), taps)
        y = y.reshape(batch, height + 1, width + 1, 2, 2, self.features).transpose(0, 1, 3, 2, 4, 5)
        return y.reshape(batch, 2 * height + 2, 2 * width + 2, self.features) + bias


def zero_pad(x: jax.Array, border: int) -> jax.Array:
    """Surround [B, H, W, C] by zeros: on a CPU the gradient of a convolution that pads by itself is slow."""
    return jnp.pad(x, ((0, 0), (border, border), (border, border), (0, 0)))


def correlate(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    """Correlation of x [B, H, W, C] with kernel [k, k, C, F], where the kernel lies inside."""
    return lax.conv_general_dilated(x, kernel, (stride, stride), "VALID", dimension_numbers=DIMENSION_NUMBERS)


def correlate_blocks(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    """The same as `correlate`, for stride 1 or 2, by a correlation of blocks of 2 x 2 pixels taken as channels.

    That has four times the channels on a quarter of the pixels, for which a convolution of few channels is much faster
    (5 times on a CPU), and its gradient needs no zeros between pixels where the stride is 2.
    """
    batch, height, width, channels = x.shape
    size, features, phases = kernel.shape[0], kernel.shape[-1], 2 // stride
    taps = (size + phases) // 2  # blocks that the kernels of all phases cover
    rows, columns = ((n - size) // stride + 1 for n in (height, width))
    blocks = [-(-n // phases) + taps - 1 for n in (rows, columns)]
    margins = [(0, max(2 * count - n, 0)) for count, n in zip(blocks, (height, width), strict=True)]
    x = jnp.pad(x, ((0, 0), *margins, (0, 0)))[:, : 2 * blocks[0], : 2 * blocks[1]]
    x = x.reshape(batch, blocks[0], 2, blocks[1], 2, channels).transpose(0, 1, 3, 2, 4, 5)
    x = x.reshape(batch, *blocks, 4 * channels)
    for axis in (0, 1):  # the kernel of phase q lies q pixels further on
        shifts = [
            [(q, 2 * taps - size - q) if a == axis else (0, 0) for a in range(kernel.ndim)] for q in range(phases)
        ]
        kernel = jnp.stack([jnp.pad(kernel, shift) for shift in shifts], -1)
    kernel = kernel.reshape(taps, 2, taps, 2, channels, features, phases, phases).transpose(0, 2, 1, 3, 4, 6, 7, 5)
    y = correlate(x, kernel.reshape(taps, taps, 4 * channels, phases**2 * features))
    y = y.reshape(batch, *y.shape[1:3], phases, phases, features).transpose(0, 1, 3, 2, 4, 5)
    y = y.reshape(batch, phases * y.shape[1], phases * y.shape[3], features)
    return y[:, :rows, :columns]


class Activated(nn.Module):
    """Joint normalisation, if any, and leaky ReLU of slope 0.2."""

    normalise: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, H, W, C] -> the same shape."""
        return nn.leaky_relu(JointNorm(name="norm")(x) if self.normalise else x, SLOPE)


class Pair(nn.Module):
    """Transposed convolution and convolution, which keep the size: [B, H, W, C] -> [B, H, W, features]."""

    features: int
    kernel: int = 3
    normalise: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = Activated(self.normalise, name="act1")(Valid(self.features, self.kernel, transposed=True, name="grow")(x))
        return Activated(self.normalise, name="act2")(Valid(self.features, self.kernel, name="shrink")(x))


class Down(nn.Module):
    """Halve the size: [B, H, W, C] -> [B, (H + 1) // 2, (W + 1) // 2, features]."""

    features: int
    normalise: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = Activated(self.normalise, name="act1")(Valid(self.features, 3, transposed=True, name="grow")(x))
        return Activated(self.normalise, name="act2")(Valid(self.features, 3, stride=2, name="shrink")(x))


class Up(nn.Module):
    """Double the size: [B, H, W, C] -> [B, 2 H, 2 W, features]."""

    features: int
    normalise: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = Activated(self.normalise, name="act1")(DoublingConv(self.features, name="double")(x))
        return Activated(self.normalise, name="act2")(Valid(self.features, 3, name="shrink")(x))


class Mix(nn.Module):
    """Pairs of several kernels side by side, each of a share of the features: [B, H, W, C] -> [B, H, W, features]."""

    features: int
    kernels: tuple[int, ...]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        share, rest = divmod(self.features, len(self.kernels))
        if rest or not share:
            raise ValueError(
                f"{self.features} features cannot be shared by {len(self.kernels)} kernels: choose a multiple"
            )
        return jnp.concatenate([Pair(share, kernel, name=f"kernel{kernel}")(x) for kernel in self.kernels], -1)


class Trunk(nn.Module):
    """A pair, then `residuals` times a pair that is added to its input: [B, H, W, C] -> [B, H, W, features]."""

    features: int
    residuals: int = 16

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = Pair(self.features, name="first")(x)
        for i in range(self.residuals):
            x = x + Pair(self.features, name=f"residual{i}")(x)
        return x


class Head(nn.Module):
    """Pictures out of features: [B, H, W, C] -> [B, H, W, channels_out], not yet limited by sigmoid or tanh."""

    kernel: int
    channels_out: int = 1
    init_scale: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = Activated(name="act")(Valid(8, self.kernel, transposed=True, name="grow")(x))
        return Valid(self.channels_out, self.kernel, init_scale=self.init_scale, name="shrink")(x)


class BottleneckAutoencoder(nn.Module):
    """Encoder, narrow middle, residual trunk and decoder with a picture at each of its last four resolutions.

    Attributes
    ----------
    bottleneck : int
        Channels of the middle. The paper has 64 by default, as the preset has, 4 for characters, and compares 1, 4 and
        16. The default here, 16, stays for configurations without this field, which mean it.
    widths : tuple of int
        Features at full resolution, at 1/2, 1/4 and so on. The middle has 2^(len(widths) - 1) times larger pixels: 32
        with the paper's six widths, 16 without the last of them.
    trunk, residuals : int
        Features and number of the residual blocks behind the middle.
    heads : bool
        Pictures at 1/2, 1/4 and 1/8 of the resolution too, for training.
    channels_out : int
        Channels of the pictures, as many as the input has.
    last_layer_scale : float
        Of the initial weights of the heads' last layers.
    from_mean : bool
        Draw what differs from the mean of the image: to what the sigmoid is taken of, the logit of that mean is added.

    Notes
    -----
    The paper has a plain sigmoid. Counts lie near its end, where it is flat: a thousand steps pass before a narrow
    network draws more than the mean. With `from_mean` and small last layers that is where it begins.
    """

    bottleneck: int = 16
    widths: tuple[int, ...] = (8, 16, 32, 64, 64, 64)
    trunk: int = 128
    residuals: int = 16
    heads: bool = True
    channels_out: int = 1
    last_layer_scale: float = 1.0
    from_mean: bool = False

    @property
    def factor(self) -> int:
        """Pixels of the image to one of the middle, along each side."""
        return 2 ** (len(self.widths) - 1)

    @nn.compact
    def __call__(self, x: jax.Array, pyramid: bool = False) -> jax.Array | list[jax.Array]:
        """Images [B, H, W, C] in [0, 1], sides multiples of `factor`, -> the same.

        With `pyramid` the pictures of all heads, from full resolution down.
        """
        if x.shape[1] % self.factor or x.shape[2] % self.factor:
            raise ValueError(
                f"an image of {x.shape[1]} x {x.shape[2]} pixels: sides must be multiples of {self.factor}"
            )
        mean = jnp.clip(x.mean((1, 2), keepdims=True), EPSILON, 1 - EPSILON)
        logit = jnp.log(mean / (1 - mean)) if self.from_mean else 0.0
        x = Mix(self.widths[0], (1, 3, 5, 7), name="mix0")(Pair(self.widths[0], normalise=False, name="pair0")(x))
        for level, features in enumerate(self.widths[1:], 1):
            x = Pair(features, name=f"pair{level}")(Down(features, name=f"down{level}")(x))
            x = Mix(features, (3, 5), name=f"mix{level}")(x)
        x = Pair(self.bottleneck, name="bottleneck")(x)
        x = Trunk(self.trunk, self.residuals, name="trunk")(x)
        pictures = []
        for level in reversed(range(len(self.widths) - 1)):
            features = self.widths[level] if level < len(HEADS) else self.trunk
            x = Pair(features, name=f"up_pair{level}")(Up(features, name=f"up{level}")(x))
            x = Mix(features, (3, 5), name=f"up_mix{level}")(x)
            if level == 0 or (self.heads and level < len(HEADS)):
                head = Head(HEADS[level], self.channels_out, self.last_layer_scale, name=f"head{level}")
                pictures.insert(0, nn.sigmoid(head(x) + logit))
        return pictures if pyramid else pictures[0]

    def geometry(self) -> tuple[tuple, ...]:
        """The layers as `metrics.field_of_view` reads them, without the normalisation, through which all is seen."""
        pair, last = (("conv", 3),) * 2, len(self.widths) - 1
        widest = (("conv", 5),) * 2  # of a mix
        down = (*pair, *(("conv", 7),) * 2, *((*pair, ("stride",), *pair, *widest) * last))
        up = (("transposed",), ("conv", 3), *pair, *widest) * last
        return (*down, *pair, *pair * (1 + self.residuals), *up, *(("conv", HEADS[0]),) * 2)
