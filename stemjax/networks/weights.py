"""Weights of a network as a whole: how many there are, and how to take them from a PyTorch checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

# our name of an array -> (PyTorch's name, how PyTorch's array turns into ours)
ARRAYS = {
    "kernel": ("weight", lambda a: a.transpose(2, 3, 1, 0)),
    "transposed_kernel": ("weight", lambda a: a[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)),
    "bias": ("bias", lambda a: a),
    "scale": ("weight", lambda a: a),
    "mean": ("running_mean", lambda a: a),
    "var": ("running_var", lambda a: a),
}


def variable_shapes(network: nn.Module, channels: int | None = None) -> dict:
    """Variables of a network as shapes only, without computing anything, for images of that many channels.

    By default as many as the network puts out.
    """
    return jax.eval_shape(network.init, jax.random.key(0), sample(network, channels))


def sample(network: nn.Module, channels: int | None = None) -> jax.ShapeDtypeStruct:
    """The shape of an image, or of as many `frames` as it takes, for a network."""
    frames = getattr(network, "frames", 0)
    channels = channels or getattr(network, "channels_out", 1)
    return jax.ShapeDtypeStruct((1, *([frames] if frames else []), 64, 64, channels), jnp.float32)


def parameter_count(network: nn.Module, channels: int | None = None, published: bool = False) -> int:
    """Number of trainable parameters of a network.

    Parameters
    ----------
    network : nn.Module
    channels : int, optional
        Channels of the input image; by default as many as of the output.
    published : bool
        Count as the papers do: a bias-free batch normalisation then has one unused offset for each of its scales.

    Examples
    --------
    >>> parameter_count(UNet(scales=4, width=32), published=True)
    352000
    """
    params = flatten_dict(variable_shapes(network, channels)["params"])
    count = sum(array.size for array in params.values())
    if published:
        count += sum(a.size for path, a in params.items() if path[-1] == "scale" and (*path[:-1], "bias") not in params)
    return count


def convert_torch(
    state: Mapping[str, np.ndarray], network: nn.Module, layer_name: Callable[[tuple[str, ...]], str], channels: int = 1
) -> dict:
    """Variables of a network from a PyTorch checkpoint; every name must be known and every array there.

    Parameters
    ----------
    state : mapping of str to array
        PyTorch's `state_dict` as arrays.
    network : nn.Module
        The network that the checkpoint is for.
    layer_name : callable
        Turns the path of a layer in our network, such as ("inc", "conv1"), into PyTorch's name, such as
        "inc.double_conv.1".
    channels : int
        Channels of the input image.

    Returns
    -------
    dict
        Collections "params" and, where the network normalises, "batch_stats".

    Raises
    ------
    ValueError
        Naming the arrays that are missing, unknown or of another shape.
    """
    variables, faults, known = {}, [], set()
    for path, wanted in flatten_dict(variable_shapes(network, channels)).items():
        collection, *layer, ours = path
        prefix = layer_name(tuple(layer))
        theirs, convert = ARRAYS[ours]
        name = f"{prefix}.{theirs}"
        known.add(name)
        if ours == "scale":  # PyTorch's layer carries these along whether or not the network uses them
            known |= {f"{prefix}.{unused}" for unused in ("bias", "running_mean", "num_batches_tracked")}
        if name not in state:
            faults.append(f"{name} is missing")
            continue
        array = np.asarray(state[name])
        array = convert(array) if array.ndim == len(wanted.shape) else array
        if array.shape != wanted.shape:
            faults.append(f"{name} has shape {np.shape(state[name])}")
        variables[path] = jnp.asarray(array, jnp.float32)
    faults += [f"{name} is unknown" for name in state if name not in known]
    if faults:
        raise ValueError(f"the checkpoint is not of {describe(network)}: {', '.join(faults)}")
    return unflatten_dict(variables)


def describe(network: nn.Module) -> str:
    """A network as one line, e.g. UNet(scales=4, width=32, bias=False)."""
    fields = [name for name in network.__dataclass_fields__ if name not in ("parent", "name", "last_layer_scale")]
    return f"{type(network).__name__}({', '.join(f'{name}={getattr(network, name)}' for name in fields)})"
