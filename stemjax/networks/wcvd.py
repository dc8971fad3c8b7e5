"""The network of WCID and WCVD: an ensemble of three small blind convolutional networks.

For WCVD it estimates the middle of three frames without a look at the pixel itself, for WCID a single frame.
`BlindEnsemble.__call__` is the definition, `BlindEnsemble.fast` the same computed by matrix products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.linalg import block_diag

from stemjax.networks.layers import fan_in_uniform
from stemjax.networks.weights import describe

SLOPE = 0.1  # of the leaky ReLU
BLOCK = 8  # pixels of a row that the fast forms take together
UNUSED = "lowpass.mask"  # in the authors' checkpoints: their network does not read it


class Subnet(nn.Module):
    """Blind convolution, pointwise layers with leaky ReLU, weighted sum, ReLU; no biases and no normalisation.

        h = blind * x;   h = leaky(W_l h), l = 1 ... layers;   y = max(0, head . h)

    There is no activation between the blind convolution and the first pointwise layer. In space the image is continued
    periodically; in time nothing is added.

    Attributes
    ----------
    kernel : int
        Side of the blind kernel [px], odd.
    frames : int
        Frames that it covers, odd.
    features, layers : int
        Features of a pixel; pointwise layers with an activation.
    """

    kernel: int
    frames: int
    features: int
    layers: int

    def setup(self):
        taps = self.frames * self.kernel**2
        shape = (self.frames, self.kernel, self.kernel, 1, self.features)
        # the middle counts in the variance, and is then set to zero
        blind = lambda key, shape: math.sqrt(2 / taps) * jax.random.normal(key, shape) * self.mask
        uniform = fan_in_uniform(self.features)
        self.blind_kernel = self.param("blind_kernel", blind, shape)
        self.pointwise = self.param("pointwise", uniform, (self.layers, self.features, self.features))
        self.head = self.param("head", uniform, (self.features, 1))

    @property
    def mask(self) -> np.ndarray:
        """0 at the middle of the blind kernel, 1 elsewhere: [frames, kernel, kernel, 1, 1]."""
        mask = np.ones((self.frames, self.kernel, self.kernel, 1, 1), np.float32)
        mask[self.frames // 2, self.kernel // 2, self.kernel // 2] = 0
        return mask

    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, T, H, W, 1] -> [B, T - frames + 1, H, W, 1]."""
        border = (self.kernel // 2,) * 2
        y = lax.conv_general_dilated(
            jnp.pad(x, [(0, 0), (0, 0), border, border, (0, 0)], mode="wrap"),
            (self.blind_kernel * self.mask).astype(x.dtype),
            (1, 1, 1),
            "VALID",
            dimension_numbers=("NDHWC", "DHWIO", "NDHWC"),
        )
        for weights in self.pointwise.astype(x.dtype):
            y = nn.leaky_relu(y @ weights, SLOPE)
        return nn.relu(y @ self.head.astype(x.dtype))

    def response(self) -> jax.Array:
        """What it makes of a uniform movie of 1."""
        return self.rest(list((self.blind_kernel * self.mask).sum((0, 1, 2, 3)) @ self.pointwise[0]))

    def merged(self, size: int) -> jax.Array:
        """The blind kernel followed by the first pointwise layer, as one kernel [frames, size, size, features]."""
        border = ((size - self.kernel) // 2,) * 2
        kernel = ((self.blind_kernel * self.mask) @ self.pointwise[0])[..., 0, :]
        return jnp.pad(kernel, [(0, 0), border, border, (0, 0)])

    def rest(self, planes: list[jax.Array]) -> jax.Array:
        """What follows the merged kernel, on one array for each feature.

        Written out as sums over few features it becomes a single pass over the pixels.
        """
        planes = [nn.leaky_relu(plane, SLOPE) for plane in planes]
        for weights in self.pointwise[1:].astype(planes[0].dtype):
            planes = [nn.leaky_relu(plane, SLOPE) for plane in _combine(planes, weights)]
        return nn.relu(_combine(planes, self.head.astype(planes[0].dtype))[0])


def _combine(planes: list[jax.Array], weights: jax.Array) -> list[jax.Array]:
    """Weighted sums of arrays, by weights [inputs, outputs]."""
    return [sum(w * p for w, p in zip(column, planes, strict=True)) for column in weights.T]


class BlindEnsemble(nn.Module):
    """Softmax-weighted sum of three blind subnets. Field of view 7 pixels and 3 frames.

        y = sum over i of  softmax(mix_weights)_i  subnet_i(x)

    Attributes
    ----------
    kernels : tuple of int
        Sides of the subnets' blind kernels [px].
    features, layers : int
        Features of a pixel (the authors try 1 to 4); pointwise layers (1, 2, 4, 8).
    frames : int
        Frames that the blind kernels cover: 3 is WCVD, 1 is WCID.

    Notes
    -----
    867 parameters, of which the three middles of each blind kernel never act. Without biases the network is
    homogeneous: f(a x) = a f(x) for a > 0. The authors' class has 4 features and 3 layers by default; what they
    released, and what the paper says, are 3 and 4. The paper has no code of WCID.

    References
    ----------
    Lee et al., the WCID/WCVD pipeline for HRTEM movies, whose code is CFN-ETEM/HRTEM_denoising_model.
    """

    kernels: tuple[int, ...] = (3, 5, 7)
    features: int = 3
    layers: int = 4
    frames: int = 3

    def __post_init__(self):
        if any(size % 2 == 0 for size in (*self.kernels, self.frames)) or min(self.features, self.layers) < 1:
            raise ValueError(
                f"kernels {self.kernels}, {self.frames} frames, {self.features} features, {self.layers} layers: a "
                "blind kernel has a middle only where its sides are odd, and there must be a feature and a layer"
            )
        super().__post_init__()

    def setup(self):
        self.mix_weights = self.param("mix_weights", nn.initializers.constant(1 / 3), (len(self.kernels),))
        self.subnets = [Subnet(kernel, self.frames, self.features, self.layers) for kernel in self.kernels]

    def __call__(self, x: jax.Array) -> jax.Array:
        """Raw counts [B, T, H, W, 1] -> [B, T - frames + 1, H, W, 1]."""
        return self.each(x) @ nn.softmax(self.mix_weights).astype(x.dtype)[:, None]

    def each(self, x: jax.Array) -> jax.Array:
        """What every subnet makes of x: [B, T - frames + 1, H, W, subnets]."""
        return jnp.concatenate([subnet(x) for subnet in self.subnets], -1)

    def responses(self) -> jax.Array:
        """What every subnet makes of a uniform movie of 1: [subnets]."""
        return jnp.stack([subnet.response() for subnet in self.subnets])

    def fast(self, x: jax.Array) -> jax.Array:
        """As `__call__`, to rounding; see `_blocks`."""

        def rest(product: jax.Array) -> jax.Array:
            every = product.reshape(len(product), -1, len(self.subnets), self.features)
            outputs = [
                subnet.rest([every[..., i, feature] for feature in range(self.features)])
                for i, subnet in enumerate(self.subnets)
            ]
            return _combine(outputs, nn.softmax(self.mix_weights).astype(x.dtype)[:, None])[0]

        return self._blocks(x, rest)[..., : x.shape[3], None]

    def fast_each(self, x: jax.Array) -> jax.Array:
        """As `each`, to rounding, for training; see `_blocks`.

        The pointwise layers are matrix products too, block-diagonal over subnets and pixels: written out as in `fast`
        they would have a gradient of a hundred sums over all pixels.
        """
        subnets, pixels = self.subnets, jnp.eye(BLOCK, dtype=x.dtype)
        layers = [block_diag(*(subnet.pointwise[n] for subnet in subnets)) for n in range(1, self.layers)]
        layers = [jnp.kron(pixels, layer.astype(x.dtype)) for layer in layers]
        head = jnp.kron(pixels, block_diag(*(subnet.head for subnet in subnets)).astype(x.dtype))

        def rest(product: jax.Array) -> jax.Array:
            y = nn.leaky_relu(product, SLOPE)
            for layer in layers:
                y = nn.leaky_relu(y @ layer, SLOPE)
            return nn.relu(y @ head).reshape(len(y), -1, len(subnets))

        return self._blocks(x, rest)[..., : x.shape[3], :]

    def _blocks(self, x: jax.Array, rest: Callable[[jax.Array], jax.Array]) -> jax.Array:
        """`rest` of every frame that has its neighbours, as [H, W / BLOCK, BLOCK * subnets * features].

        The blind kernels, each followed by its first pointwise layer, are one kernel with zeros where the smaller ones
        end. Its product with `BLOCK` pixels of a row is a banded matrix, so that the convolution of a frame is one
        matrix product, whose left side holds every pixel 37 times instead of 147. Frames come one after the other, and
        for a gradient each is computed again, so that memory does not grow with the movie.
        """
        size, height = max(self.kernels), x.shape[2]
        kernel = jnp.concatenate([subnet.merged(size) for subnet in self.subnets], -1).astype(x.dtype)
        shifted = [jnp.pad(kernel, [(0, 0), (0, 0), (j, BLOCK - 1 - j), (0, 0)]) for j in range(BLOCK)]
        matrix = jnp.stack(shifted, 3).reshape(-1, BLOCK * kernel.shape[-1])

        @jax.checkpoint
        def frame(clip: jax.Array) -> jax.Array:
            patches = [rows[top : top + height] for rows in clip for top in range(size)]
            return rest(jnp.concatenate(patches, -1) @ matrix)

        def movie(frames: jax.Array) -> jax.Array:
            seen = _row_blocks(frames, size)
            count = len(seen) - self.frames + 1
            return lax.map(lambda t: frame(lax.dynamic_slice_in_dim(seen, t, self.frames)), jnp.arange(count))

        return jax.vmap(movie)(x[..., 0])

    def geometry(self) -> tuple[tuple, ...]:
        """The layers as `metrics.field_of_view` reads them."""
        return (("conv", max(self.kernels)),)


def _row_blocks(frames: jax.Array, size: int) -> jax.Array:
    """What blocks of `BLOCK` pixels of a row see of it: [T, H, W] -> [T, H + size - 1, W / BLOCK, BLOCK + size - 1].

    The frames are continued periodically; the last block may reach beyond them.
    """
    count = -(-frames.shape[2] // BLOCK)
    more = -(-(size - 1) // BLOCK)  # blocks to the right of which one sees a part
    border = (size // 2,) * 2
    padded = jnp.pad(frames, [(0, 0), border, border], mode="wrap")
    padded = jnp.pad(padded, [(0, 0), (0, 0), (0, (count + more) * BLOCK - padded.shape[2])])
    blocks = padded.reshape(*padded.shape[:2], count + more, BLOCK)
    seen = [blocks[:, :, i : i + count] for i in range(more + 1)]
    return jnp.concatenate(seen, -1)[..., : BLOCK + size - 1]


def from_torch(state: Mapping[str, np.ndarray], network: BlindEnsemble) -> dict:
    """Variables from the authors' checkpoint.

    Its `lowpass.mask`, which their network does not read, is passed over.

    Parameters
    ----------
    state : mapping of str to array
        PyTorch's `state_dict` as arrays: `mix_weights`, and for subnet i `subnets.i.layers.0.conv.weight`,
        `subnets.i.layers.1.weight` and so on in steps of two.
    network : BlindEnsemble
        The network that the checkpoint is for.

    Raises
    ------
    ValueError
        Naming the arrays that are missing, unknown or of another shape.
    """
    features, taken, faults = network.features, {UNUSED}, []

    def take(name: str, *shape: int) -> np.ndarray:
        taken.add(name)
        if name not in state:
            faults.append(f"{name} is missing")
        elif np.shape(state[name]) != shape:
            faults.append(f"{name} has shape {np.shape(state[name])}")
        else:
            return np.asarray(state[name], np.float32)
        return np.zeros(shape, np.float32)

    params: dict = {"mix_weights": take("mix_weights", len(network.kernels))}
    for i, size in enumerate(network.kernels):
        layer = f"subnets.{i}.layers"
        blind = take(f"{layer}.0.conv.weight", features, 1, network.frames, size, size)
        square = [take(f"{layer}.{2 * n + 1}.weight", features, features, 1, 1, 1) for n in range(network.layers)]
        head = take(f"{layer}.{2 * network.layers + 1}.weight", 1, features, 1, 1, 1)
        params[f"subnets_{i}"] = {
            "blind_kernel": blind.transpose(2, 3, 4, 1, 0),
            "pointwise": np.stack([weights[..., 0, 0, 0].T for weights in square]),
            "head": head[..., 0, 0, 0].T,
        }
    faults += [f"{name} is unknown" for name in state if name not in taken]
    if faults:
        raise ValueError(f"the checkpoint is not of {describe(network)}: {', '.join(faults)}")
    return {"params": jax.tree.map(jnp.asarray, params)}
