"""Apply a denoiser to whole images of any size: at once where they fit, in tiles where they do not.

    image -> prepare (statistics of the whole) -> tiles with a halo -> denoise -> keep the middles -> denoised image

A tile sees its core and a halo around it at least as wide as the network's reach, and starts at a multiple of the
network's pooling period, so that its pooling blocks are those of the whole image. So is, then, the result.

One thing more depends on the size of the array: the UNet's corner-aligned upsampling takes pixel i of 2 s from
i (s - 1) / (2 s - 1). So each tile comes with variables ``place = {"origin": [2], "size": [2]}``: where it lies, and
the size of the whole image [px]. A network that interpolates so must read them; DnCNN and DURR have nothing to read.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.denoisers.protocol import ask, compiling, takes_movies
from stemjax.metrics.field_of_view import pooling_period, supports

MEMORY = 4e9  # bytes that the activations of one call may take
BYTES_PER_CHANNEL = 32  # of a pixel and a channel at full resolution: skips, their concatenations, convolution buffers
PAPER_TILE, PAPER_STEP = 400, 350  # px
HALO, AVERAGE = "halo", "average"


def denoise_image(
    denoiser: Any,
    variables: dict,
    image: np.ndarray,
    *,
    tile: int | None = None,
    halo: int | None = None,
    blend: str = HALO,
    step: int | None = None,
) -> np.ndarray:
    """Denoise one image or movie of any size.

    Parameters
    ----------
    denoiser : a denoiser
        With a field `network` it may be tiled; filters, and methods with ``whole = True``, take the whole image.
    variables : dict
        Those that hold statistics already (collection `normalisation`), of a movie say, keep them.
    image : float32 [H, W, C] or [T, H, W, C]
        In counts. The frames of a movie are denoised one by one; a constant one is returned as it is. A denoiser with
        a method `prepare_movie` normalises them together; one with `frames` sees each with its neighbours, see
        `denoise_frames`, and takes an image as a movie of one frame.
    tile : int, optional
        Side of the tiles [px], halo included; enlarged where the halo needs it. By default the whole image, or what
        fits into about 4 GB.
    halo : int, optional
        Width of the border that a tile sees and does not keep [px]; by default the network's reach.
    blend : {"halo", "average"}
        Keep the middle of each tile, which equals the whole image's result; or the papers' way: overlapping tiles, each
        as if it were an image, averaged with equal weights (default tile 400 px, step 350 px).
    step : int, optional
        Distance between tiles of ``blend="average"`` [px].

    Returns
    -------
    float32, the shape of `image`

    Raises
    ------
    ValueError
        If the options contradict each other.
    MemoryError
        If even the smallest tile does not fit.

    Notes
    -----
    Tiles agree with the whole image to rounding (below 1e-5 of the largest value) for DnCNN, DURR and a UNet that reads
    `place`. One that does not interpolates by up to half a pixel of each scale elsewhere: with random weights its tiles
    were off by 7 % (2 scales) and 4 % (4 scales) of the result's standard deviation, root mean square.

    An image smaller than the network's coarsest pixel is continued by reflection and cropped afterwards. Out of memory,
    the tile is halved and the frame begun anew.

    One program is compiled for each shape of tile. All tiles of an image have one shape: `tile` plus what the image
    has beyond a multiple of the pooling period, so that they start at such multiples and the last ends with the image.

    Examples
    --------
    >>> from stemjax.denoisers.gaussian import Gaussian
    >>> denoise_image(Gaussian(sigma=2.0), {}, np.ones((32, 32, 1), np.float32)).shape
    (32, 32, 1)
    """
    if blend not in (HALO, AVERAGE):
        raise ValueError(f"blend {blend!r} is not one of {HALO!r}, {AVERAGE!r}")
    if min([n for n in (tile, step) if n is not None], default=1) < 1 or (halo or 0) < 0:
        raise ValueError("tile and step must be positive, and halo must not be negative")
    if blend == HALO and step is not None:
        raise ValueError(f"step belongs to blend={AVERAGE!r}; with {HALO!r} the tiles touch")
    if takes_movies(denoiser):
        if tile or halo or step or blend != HALO:
            raise ValueError("a denoiser of movies takes whole frames: leave out tile, halo, step and blend")
        movie = image if image.ndim == 4 else image[None]
        return np.stack(list(denoise_frames(denoiser, variables, movie, len(movie)))).reshape(image.shape)
    if image.ndim == 4:
        options = {"tile": tile, "halo": halo, "blend": blend, "step": step}
        if "normalisation" not in variables and (prepare_movie := ask(denoiser, "prepare_movie")):
            variables = prepare_movie(variables, image)
        return np.stack([denoise_image(denoiser, variables, frame, **options) for frame in image])
    if image.min() == image.max():
        return image.copy()
    image = np.asarray(image, np.float32)
    if is_whole := _is_whole(denoiser):
        if ask(denoiser, "network") is not None and (tile or halo or step or blend != HALO):
            raise ValueError(f"{denoiser.name} takes whole images: leave out tile, halo, step and blend")
    variables = _prepare(denoiser, variables, image)
    while True:
        try:
            if is_whole:
                return _apply(denoiser, variables, image)
            if blend == AVERAGE:
                return _average(denoiser, variables, image, tile or PAPER_TILE, step or _paper_step(tile))
            return _in_tiles(denoiser, variables, image, tile or _default_tile(denoiser.network, image.shape), halo)
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            tile = _smaller(denoiser, image.shape, tile, halo, blend)


# ---------------------------------------------------------------------------------------------------- movies
def denoise_frames(denoiser: Any, variables: dict, frames: Iterable[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """Denoise a movie with a denoiser of movies, frame by frame as they come: it may be larger than the memory.

    Windows of frames, all equally long, overlap by what the denoiser looks at before and after a frame (its `frames`),
    and of each the middle is kept. So the result is that of the movie as a whole.

    Parameters
    ----------
    denoiser : a denoiser of movies
    frames : iterable of float32 [H, W, C]
        In counts.
    count : int
        How many there are.

    Yields
    ------
    float32 [H, W, C]
        A constant frame, as from a beam that was off, comes back as it is.

    Raises
    ------
    ValueError
        If the denoiser needs more frames than there are.
    MemoryError
        If a window does not fit.
    """
    frames = iter(frames)
    window, begin = [next(frames)], 0
    for start, stop, first, last in _windows(denoiser, window[0], count):
        window, begin = window[start - begin :], start
        window += islice(frames, stop - start - len(window))
        try:
            denoised = _apply(denoiser, variables, np.stack(window).astype(np.float32))
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            size = " x ".join(map(str, window[0].shape[:2]))
            what = f"{len(window)} frames of {size} pixels do not fit into memory"
            raise MemoryError(f"{what}: cut the frames") from error
        kept = slice(first - start, last - start)
        for noisy, frame in zip(window[kept], denoised[kept], strict=True):
            yield noisy.copy() if noisy.min() == noisy.max() else frame


def _windows(denoiser, frame: np.ndarray, count: int) -> list[tuple[int, int, int, int]]:
    """(start, stop, first frame kept, last frame kept + 1) of the windows of a movie of `count` frames."""
    channels = ask(denoiser, "memory_channels") or getattr(ask(denoiser, "network"), "width", 64)
    fitting = int(MEMORY / (BYTES_PER_CHANNEL * channels * frame[..., 0].size))
    return _tiles(count, min(fitting, count) or 1, max(denoiser.frames), 1)


# ---------------------------------------------------------------------------------------------------- tiles and halo
def _in_tiles(denoiser, variables: dict, image: np.ndarray, tile: int, halo: int | None) -> np.ndarray:
    period = pooling_period(denoiser.network)
    height, width = image.shape[:2]
    padded = _pad_to(image, period)
    if halo is None:
        halo = reach(denoiser.network, max(padded.shape[:2]))
    rows, columns = (_tiles(n, tile, halo, period) for n in padded.shape[:2])
    size = np.array(padded.shape[:2], np.float32)
    denoised = np.empty_like(padded)
    for top, bottom, first_row, last_row in rows:
        for left, right, first_column, last_column in columns:
            place = {"origin": np.array([top, left], np.float32), "size": size}
            part = _apply(denoiser, variables | {"place": place}, padded[top:bottom, left:right])
            core = part[first_row - top : last_row - top, first_column - left : last_column - left]
            denoised[first_row:last_row, first_column:last_column] = core
    return denoised[:height, :width]


def _tiles(size: int, tile: int, halo: int, period: int) -> list[tuple[int, int, int, int]]:
    """Tiles of one axis: (start, stop, first pixel kept, last pixel kept + 1).

    All are equally long, start at multiples of `period`, and the last one ends with the image.
    """
    halo = _ceil(halo, period)
    tile = max(_ceil(tile, period), 2 * halo + period) + size % period
    if tile >= size:
        return [(0, size, 0, size)]
    stride = (tile - size % period - 2 * halo) // period * period
    starts = [*range(0, size - tile, stride), size - tile]
    firsts = [0] + [start + halo for start in starts[1:]]
    return [
        (start, start + tile, first, last)
        for start, first, last in zip(starts, firsts, [*firsts[1:], size], strict=True)
    ]


def reach(network, size: int) -> int:
    """How far [px] an output pixel of an image of `size` pixels may see, to either side, wherever it lies.

    For corner-aligned upsampling this is more than half the field of view, which is stated for the image's middle.
    """
    first, last = supports(network.geometry(), size)
    place = np.arange(size)
    return int(max((place - first).max(), (last - place).max()))


def _default_tile(network, shape: Sequence[int]) -> int:
    pixels = MEMORY / (BYTES_PER_CHANNEL * getattr(network, "width", 64))
    return max(shape[:2]) if shape[0] * shape[1] <= pixels else int(pixels**0.5)


# ---------------------------------------------------------------------------------------------------- the papers' way
def _average(denoiser, variables: dict, image: np.ndarray, tile: int, step: int) -> np.ndarray:
    """Mean over all tiles that cover a pixel; a side shorter than a tile is padded by zeros on both ends."""
    tile = max(tile, pooling_period(denoiser.network))
    margins = [(max(tile - n, 0) // 2, (max(tile - n, 0) + 1) // 2) for n in image.shape[:2]]
    padded = np.pad(image, [*margins, (0, 0)])
    total, count = np.zeros_like(padded), np.zeros((*padded.shape[:2], 1), np.float32)
    rows, columns = (_starts(n, tile, step) for n in padded.shape[:2])
    for top in rows:
        for left in columns:
            window = slice(top, top + tile), slice(left, left + tile)
            total[window] += _apply(denoiser, variables, padded[window])
            count[window] += 1
    (above, _), (before, _) = margins
    return (total / count)[above : above + image.shape[0], before : before + image.shape[1]]


def _starts(size: int, tile: int, step: int) -> list[int]:
    """0, step, 2 step, ..., and one more so that the last tile ends with the image."""
    if step > tile:
        raise ValueError(f"a step of {step} px leaves gaps between tiles of {tile} px: choose a smaller step")
    starts = list(range(0, size - tile + 1, step))
    return starts if starts[-1] + tile == size else [*starts, size - tile]


def _paper_step(tile: int | None) -> int:
    return max(1, (tile or PAPER_TILE) * PAPER_STEP // PAPER_TILE)


# ---------------------------------------------------------------------------------------------------- one call
@partial(jax.jit, static_argnums=0)
def _denoise(denoiser, variables: dict, noisy: jax.Array) -> jax.Array:
    return denoiser.denoise(variables, noisy)


def _apply(denoiser, variables: dict, image: np.ndarray) -> np.ndarray:
    """Denoise one image [H, W, C], or a window of frames [T, H, W, C] with a denoiser of movies."""
    if ask(denoiser, "on_host"):  # nothing to compile; a copy, since NumPy code may write into what it is given
        denoised = denoiser.denoise(variables, np.array(image)[None])
    else:
        with compiling(denoiser):
            denoised = _denoise(denoiser, variables, jnp.asarray(image)[None])
    if (made := getattr(denoised, "shape", None)) != (1, *image.shape):
        name = type(denoiser).__name__
        raise ValueError(f"{name}.denoise made {made} of {(1, *image.shape)}: keep the shape [B, H, W, C]")
    return np.asarray(denoised[0], np.float32)


def _prepare(denoiser, variables: dict, image: np.ndarray) -> dict:
    """Variables with the statistics of the whole image, where the denoiser takes any and has none yet."""
    prepare = ask(denoiser, "prepare")
    if "normalisation" in variables or prepare is None:
        return variables
    return prepare(variables, jnp.asarray(image)[None])


def _is_whole(denoiser) -> bool:
    """Whether it is applied to whole images only: a filter, or a network that normalises over the whole array."""
    return ask(denoiser, "network") is None or ask(denoiser, "whole")


def _smaller(denoiser, shape: Sequence[int], tile: int | None, halo: int | None, blend: str) -> int:
    """Half the tile that did not fit.

    Raises
    ------
    MemoryError
        If the half would not do: smaller than halo and period allow, or a filter, which takes the whole image.
    """
    if _is_whole(denoiser):
        raise MemoryError(f"{shape[0]} x {shape[1]} pixels do not fit into memory: cut the image")
    network = denoiser.network
    half = (tile or (PAPER_TILE if blend == AVERAGE else min(_default_tile(network, shape), max(shape[:2])))) // 2
    period = pooling_period(network)
    border = reach(network, max(shape[:2])) if halo is None else halo
    least = period if blend == AVERAGE else 2 * _ceil(border, period) + period
    if half < least:
        raise MemoryError(f"even tiles of {2 * half} px do not fit into memory: use a smaller network")
    return half


def _pad_to(image: np.ndarray, least: int) -> np.ndarray:
    """The image, continued by reflection at its far ends to at least `least` pixels a side."""
    margins = [(0, max(least - n, 0)) for n in image.shape[:2]]
    return np.pad(image, [*margins, (0, 0)], mode="symmetric") if any(after for _, after in margins) else image


def _ceil(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
