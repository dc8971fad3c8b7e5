"""Field of view of a network: which input pixels an output pixel depends on.

Two independent ways to the same number. `supports` is interval arithmetic on the network's layers in one dimension (the
networks treat rows and columns alike); `measured_support` differentiates the network itself.

A geometry is a tuple of layers, each a tuple of a name and its settings:

    ("conv", kernel, dilation=1)   odd kernel, padded to keep the size
    ("stride",)                    every second pixel
    ("pool",)                      blocks of 2 pixels; an odd last pixel is dropped
    ("upsample",)                  corner-aligned linear interpolation to twice the size
    ("transposed",)                transposed convolution, kernel 4, stride 2, padding 1
    ("pad_to_even",)               one zero at the end of an odd size
    ("mirror", multiple)           reflection at the end, up to a multiple of so many pixels
    ("fill", multiple)             zeros at the end, up to a multiple of so many pixels
    ("above", kernel)              half of a blind convolution: the pixel and kernel - 1 before it
    ("shift",)                     one pixel later
    ("repeat",)                    every pixel twice
    ("all sides",)                 what is seen from this side and from the other, and across at the pixel's own place
    ("save", name)                 remember this stage
    ("concat", name)               join the remembered stage, padding or cropping this one at the end to its size
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

CENTRE = 64  # pixels about the middle of the image; one period of the phases of a network with up to 6 halvings

Intervals = tuple[np.ndarray, np.ndarray]


def supports(geometry: Sequence[tuple], size: int) -> Intervals:
    """First and last input pixel that each output pixel depends on.

    Parameters
    ----------
    geometry : sequence of tuple
        The layers, as above.
    size : int
        Pixels of the input.

    Returns
    -------
    first, last : int array [size]
        Inclusive ends of the intervals.

    References
    ----------
    Mohan et al., "Deep denoising for scientific discovery: a case study in electron microscopy", IEEE Transactions on
    Computational Imaging 8, 2022, whose fields of view this rule reproduces.
    """
    first, last = np.arange(size, dtype=float), np.arange(size, dtype=float)
    stages: dict = {}
    for layer in geometry:
        match layer:
            case ("conv", kernel, *dilation):
                step = dilation[0] if dilation else 1
                taps = [step * (k - kernel // 2) for k in range(kernel)]
                first, last = _union([_shifted(first, last, tap) for tap in taps])
            case ("stride",):
                first, last = first[::2], last[::2]
            case ("pool",):
                half = len(first) // 2 * 2
                first, last = _union([(first[:half:2], last[:half:2]), (first[1:half:2], last[1:half:2])])
            case ("upsample",):
                first, last = _upsampled(first, last)
            case ("transposed",):
                even = _union([(first, last), _shifted(first, last, -1)])
                odd = _union([(first, last), _shifted(first, last, 1)])
                first, last = (np.stack(pair, 1).ravel() for pair in zip(even, odd, strict=True))
            case ("pad_to_even",):
                first, last = _resized(first, last, len(first) + len(first) % 2)
            case ("mirror", multiple):
                margin = (0, -len(first) % multiple)
                first, last = (np.pad(ends, margin, mode="symmetric") for ends in (first, last))
            case ("fill", multiple):
                first, last = _resized(first, last, len(first) + -len(first) % multiple)
            case ("above", kernel):
                first, last = _union([_shifted(first, last, -k) for k in range(kernel)])
            case ("shift",):
                first, last = _shifted(first, last, -1)
            case ("repeat",):
                first, last = (np.repeat(ends, 2) for ends in (first, last))
            case ("all sides",):
                end, place = len(first) - 1, np.arange(len(first))
                first, last = _union([(first, last), (end - last[::-1], end - first[::-1]), (place, place)])
            case ("save", name):
                stages[name] = first, last
            case ("concat", name):
                first, last = _union([stages[name], _resized(first, last, len(stages[name][0]))])
            case _:
                raise ValueError(f"the field of view knows no layer {layer!r}")
    return first[:size].astype(int), last[:size].astype(int)


def field_of_view(geometry: Sequence[tuple], size: int = 4096) -> int:
    """Field of view in pixels as the papers state it: 2 reach + 1.

    The reach is the larger one-sided extent of the support of a pixel near the middle of the image; where the
    support's width depends on the pixel's phase with respect to the pooling, of a pixel with the smaller one.

    Parameters
    ----------
    geometry : sequence of tuple
        The layers, as above.
    size : int
        Pixels of an input larger than the field of view.

    Examples
    --------
    >>> field_of_view((("conv", 3),) * 20)
    41
    """
    middle = np.arange(size // 2 - CENTRE // 2, size // 2 + CENTRE // 2)
    first, last = (ends[middle] for ends in supports(geometry, size))
    if first.min() == 0 or last.max() == size - 1:
        raise ValueError(f"an image of {size} pixels is smaller than the field of view: choose a larger size")
    width = last - first + 1
    reach = np.maximum(middle - first, last - middle)
    return int(2 * reach[width == width.min()].min() + 1)


def measured_support(
    fn: Callable[[jax.Array], jax.Array], size: tuple[int, int], pixel: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Bounding box of the input pixels at which the derivative of one output pixel is not exactly 0, in float64.

    Parameters
    ----------
    fn : callable
        A network in evaluation, [1, H, W, 1] -> [1, H, W, 1], that computes in the type of its input and whose
        weights are all positive (see `positive`).
    size : tuple of int
        Height and width of the image.
    pixel : tuple of int
        Row and column of the output pixel.

    Returns
    -------
    rows, columns : tuple of int
        First and last row, first and last column.

    Notes
    -----
    Positive weights make a network monotone: on an image that grows away from the pixel every
    activation is positive, so ReLU passes it, and every maximum is taken at the outermost pixel of its block. So
    the box is the largest that any image gives, though no layer was replaced. In float32 the derivatives at its
    edge would underflow.
    """
    with jax.enable_x64(True):
        rows, columns = (np.abs(np.arange(n) - p) for n, p in zip(size, pixel, strict=True))
        image = jnp.asarray(1.0 + rows[:, None] + columns, jnp.float64)[None, :, :, None]
        gradient = jax.jit(jax.grad(lambda x: fn(x)[0, pixel[0], pixel[1], 0]))(image)
        if gradient.dtype != jnp.float64:
            raise ValueError(f"the field of view must be measured in float64, not {gradient.dtype}")
        nonzero = np.asarray(gradient[0, :, :, 0]) != 0
    row, column = (np.flatnonzero(nonzero.any(axis)) for axis in (1, 0))
    return (int(row[0]), int(row[-1])), (int(column[0]), int(column[-1]))


def positive(variables: dict) -> dict:
    """The same variables without their signs, for `measured_support`."""
    return jax.tree.map(jnp.abs, variables)


def _union(intervals: Sequence[Intervals]) -> Intervals:
    firsts, lasts = zip(*intervals, strict=True)
    return np.min(firsts, axis=0), np.max(lasts, axis=0)


def _shifted(first: np.ndarray, last: np.ndarray, step: int) -> Intervals:
    """Intervals of pixel i + step at pixel i; empty, that is (inf, -inf), outside the image."""
    source = np.arange(len(first)) + step
    inside = (source >= 0) & (source < len(first))
    source = source.clip(0, len(first) - 1)
    return np.where(inside, first[source], np.inf), np.where(inside, last[source], -np.inf)


def _resized(first: np.ndarray, last: np.ndarray, size: int) -> Intervals:
    """Intervals padded by empty ones, or cropped, at the end."""
    extra = (0, max(size - len(first), 0))
    return (
        np.pad(first, extra, constant_values=np.inf)[:size],
        np.pad(last, extra, constant_values=-np.inf)[:size],
    )


def _upsampled(first: np.ndarray, last: np.ndarray) -> Intervals:
    """Output i depends on the input pixels around i (s - 1) / (2 s - 1), or on one where that is an integer."""
    size = len(first)
    numerator, denominator = np.arange(2 * size) * (size - 1), 2 * size - 1
    below, above = numerator // denominator, -(-numerator // denominator)
    return _union([(first[below], last[below]), (first[above], last[above])])


def pooling_period(network) -> int:
    """Distance [px] over which a network repeats itself: 2 to the power of its halvings."""
    depth, deepest = 0, 0
    for name, *_ in network.geometry():
        depth += {"pool": 1, "stride": 1, "upsample": -1, "transposed": -1}.get(name, 0)
        deepest = max(deepest, depth)
    return 2**deepest
