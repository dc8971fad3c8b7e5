"""Motion from frame to frame by block matching, and the patches of a frame followed along it.

    D_d(r) = mean over the block around r of (p_t(r) - p_{t+1}(r + d))²,

p being frames smoothed by a Gaussian. First the block is the whole frame: its drift is the least of a parabola through
D around the best whole step. Then a block may make another whole step than the frame. In noise some step always seems
better than none; one that is made lowers D by more than noise does.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from stemjax.denoisers.gaussian import convolve_symmetric, gaussian_weights

SMOOTHING = 1.0  # px, standard deviation
CERTAIN = 4.0  # standard deviations of D by noise alone


def displacements(movie: jax.Array, variance: jax.Array, search: int, block: int) -> tuple[jax.Array, jax.Array]:
    """Motion of the surroundings of every pixel to the next frame, and to the one before.

    Parameters
    ----------
    movie : float [T, H, W]
    variance : float []
        Of the noise of a pixel.
    search : int
        Longest step along rows and columns [px].
    block : int
        Side of the blocks [px].

    Returns
    -------
    onward, back : float [T - 1, H, W, 2]
        (y, x) steps from frame t to t + 1, and from t + 1 to t.
    """
    weights = gaussian_weights(SMOOTHING)
    smooth = convolve_symmetric(movie[..., None], weights)[..., 0]
    left = 2 * variance * np.sum(np.concatenate([weights[:0:-1], weights]) ** 2) ** 2  # mean of D without any motion

    def scatter(area: int) -> jax.Array:
        """Standard deviation of D: of the squares of smoothed noise, one in 2 pi SMOOTHING² px is independent."""
        return left * np.sqrt(2 / max(area / (2 * np.pi * SMOOTHING**2), 1))

    height, width = movie.shape[1:]
    least = CERTAIN * scatter(height * width), CERTAIN * scatter(min(block, height) * min(block, width))
    both = lambda pair: (_steps(pair, search, block, *least), _steps(pair[::-1], search, block, *least))
    return lax.map(both, jnp.stack([smooth[:-1], smooth[1:]], 1))


def _steps(pair: jax.Array, search: int, block: int, least: jax.Array, least_of_block: jax.Array) -> jax.Array:
    """The steps [H, W, 2] from the first frame to the second of `pair` [2, H, W]."""
    height, width = pair.shape[1:]
    if not search:
        return jnp.zeros((height, width, 2))
    around = jnp.pad(pair[1], search, mode="edge")
    steps = np.stack(np.meshgrid(*[np.arange(-search, search + 1)] * 2, indexing="ij"), -1).reshape(-1, 2)

    def squares(step: jax.Array) -> jax.Array:
        moved = lax.dynamic_slice(around, (search + step[0], search + step[1]), (height, width))
        return (pair[0] - moved) ** 2

    errors = lax.map(lambda step: _block_mean(squares(step), block), jnp.asarray(steps))
    whole = lax.map(lambda step: jnp.mean(squares(step)), jnp.asarray(steps)).reshape(2 * search + 1, -1)
    drift, nearest = _drift(whole, search, least)
    best, stay = jnp.min(errors, axis=0), errors[nearest[0] * len(whole) + nearest[1]]
    own = jnp.asarray(steps, jnp.float32)[jnp.argmin(errors, axis=0)]
    return jnp.where((stay - best > least_of_block)[..., None], own, drift)


def _drift(whole: jax.Array, search: int, least: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Step of the whole frame (y, x), and the place of the whole step nearest to it in `whole` [S, S]."""
    place = jnp.stack(jnp.unravel_index(jnp.argmin(whole), whole.shape))
    place = jnp.where(whole[search, search] - jnp.min(whole) > least, place, search)
    inner = jnp.clip(place, 1, len(whole) - 2)
    parts = []
    for axis in (0, 1):
        line = jnp.take(whole, place[1 - axis], axis=1 - axis)
        before, at, after = (line[inner[axis] + i] for i in (-1, 0, 1))
        bend = before - 2 * at + after
        parts.append(jnp.where(bend > least, (before - after) / (2 * jnp.where(bend > least, bend, 1)), 0))
    drift = place - search + jnp.clip(jnp.stack(parts), -0.5, 0.5)
    return drift, place


def _block_mean(image: jax.Array, block: int) -> jax.Array:
    """Means over the block around every pixel, of those of its pixels that are inside the image [H, W]."""
    for axis in (0, 1):
        sums = jnp.cumsum(image, axis=axis)
        sums = jnp.concatenate([jnp.zeros_like(lax.slice_in_dim(sums, 0, 1, axis=axis)), sums], axis=axis)
        place = np.arange(image.shape[axis])
        first, last = np.maximum(place - block // 2, 0), np.minimum(place - block // 2 + block, len(place))
        count = (last - first).reshape((-1, 1) if axis == 0 else (1, -1))
        image = (jnp.take(sums, last, axis=axis) - jnp.take(sums, first, axis=axis)) / count
    return image


def follow(
    start: np.ndarray, onward: jax.Array, back: jax.Array, frame: jax.Array, room: jax.Array, middle: int
) -> jax.Array:
    """Where patches of one frame lie in the others, to the nearest pixel.

    Parameters
    ----------
    start : int [P, 2]
        Their upper left corners (y, x) in that frame.
    onward, back : float [T - 1, H, W, 2]
        See `displacements`.
    frame : int []
        Number of that frame, of T.
    room : int [2]
        The last place where a patch fits.
    middle : int
        Distance from a patch's corner to the pixel whose motion it has.

    Returns
    -------
    int [T, P, 2]
    """
    start = jnp.asarray(start, jnp.float32)

    def go(places, step):
        motion, moves = step
        y, x = jnp.moveaxis(jnp.rint(places).astype(jnp.int32) + middle, -1, 0)
        places = jnp.where(moves, jnp.clip(places + motion[y, x], 0, room), places)
        return places, places

    numbers = jnp.arange(len(onward))
    _, after = lax.scan(go, start, (onward, numbers >= frame))
    _, before = lax.scan(go, start, (back, numbers < frame), reverse=True)
    after, before = jnp.concatenate([start[None], after]), jnp.concatenate([before, start[None]])
    chosen = jnp.where((jnp.arange(len(onward) + 1) >= frame)[:, None, None], after, before)
    return jnp.rint(chosen).astype(jnp.int32)
