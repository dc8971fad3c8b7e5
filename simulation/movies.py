"""What happens in an HRTEM movie: surface columns of a particle come and go, and the sample drifts."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from simulation.particles import GoldOnCarbon, OnCeria
from simulation.truth import column_rows
from stemjax.data import datasets

LOOSE, FULL = 3, 6  # neighbours of a column that leaves easily, and of one inside the particle
REACH = 1.3  # neighbours are nearer than this, in units of the shortest distance
SPARE = 5.0  # Å of the cell beyond the frame


@dataclass(frozen=True)
class Motion:
    """How a movie moves.

    Parameters
    ----------
    speed : float
        Drift per frame, root mean square [px].
    memory : float
        Correlation between the drift velocities of two successive frames; they are normally distributed.
    change : float
        Probability that a column comes or goes between two frames.
    """

    speed: float = 0.5
    memory: float = 0.8
    change: float = 0.3


@dataclass(frozen=True)
class Movie:
    """One movie.

    Parameters
    ----------
    states : tuple of models
        Each lacks one column more than the one before.
    tilt : (about_x, about_y)
        Of the sample [deg].
    defocus : float
        C10 [Å].
    window : (top, left)
        Centre of the frame's first pixel in the cell [px].
    path : int [T]
        State in each frame.
    drift : float [T, 2]
        (y, x) of the sample in each frame, relative to the first [Å].
    """

    states: tuple[OnCeria | GoldOnCarbon, ...]
    tilt: tuple[float, float]
    defocus: float
    window: tuple[int, int]
    path: np.ndarray
    drift: np.ndarray


def drift_path(generator: np.random.Generator, frames: int, speed: float, memory: float) -> np.ndarray:
    """A smooth random walk from (0, 0): positions [frames, 2] in the unit of `speed`, its root mean square step.

    The steps are v(t + 1) = memory v(t) + sqrt(1 - memory²) noise.
    """
    noise = generator.normal(size=(frames - 1, 2)) * speed / np.sqrt(2)
    steps = noise.copy()
    for before, after in zip(steps, steps[1:], strict=False):
        after[:] = memory * before + np.sqrt(1 - memory**2) * after
    return np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])


def state_path(generator: np.random.Generator, frames: int, states: int, change: float) -> np.ndarray:
    """State in each frame, int [frames]: from 0, to a neighbouring state with probability `change`.

    Where there are several states, not all frames are in the first one.
    """
    path = np.zeros(frames, int)
    while states > 1 and not path.any():
        for frame in range(1, frames):
            step = generator.choice((-1, 1)) * (generator.random() < change)
            inside = 0 <= path[frame - 1] + step < states
            path[frame] = path[frame - 1] + (step if inside else -step)
    return path


def places(model, tilt: tuple[float, float], cell: float) -> dict[tuple[int, int], np.ndarray]:
    """Where the image shows the particle's columns: site -> (y, x) in the cell [Å]."""
    columns = model.columns(cell)
    rows = column_rows(columns, model.depth, tilt, cell)
    return {
        column.site: np.array([row["y_angstrom"], row["x_angstrom"]], float)
        for column, row in zip(columns, rows, strict=True)
        if column.site
    }


def erode(model, states: int, tilt: tuple[float, float], cell: float, box, generator: np.random.Generator) -> tuple:
    """A model and its next states, in each of which one more loose column has left.

    Such a column has few neighbours and lies inside the `box`, ((top, left), (bottom, right)) in the cell [Å].

    Raises
    ------
    ValueError
        If no surface lies there.
    """
    chain, (first, last) = [model], np.asarray(box)
    while len(chain) < states:
        columns = places(chain[-1], tilt, cell)
        tree = cKDTree(list(columns.values()))
        nearest = tree.query(tree.data, k=2)[0][:, 1].min()
        neighbours = tree.query_ball_point(tree.data, REACH * nearest, return_length=True) - 1
        seen = {
            site: count
            for (site, place), count in zip(columns.items(), neighbours.tolist(), strict=True)
            if (first < place).all() and (place < last).all()
        }
        if min(seen.values(), default=FULL) == FULL:
            raise ValueError("the frame shows no surface of the particle; use a larger frame")
        # At the corners, if these are seen; else from a facet.
        loose = [site for site, count in seen.items() if count <= max(LOOSE, min(seen.values()))]
        chain.append(chain[-1].without([loose[generator.integers(len(loose))]]))
    return tuple(chain)


def window_of(corner: np.ndarray, pixels: int, cell_pixels: int, sampling: float) -> tuple[int, int]:
    """First pixel (y, x) in the cell of a frame that shows a place (y, x) [Å], as far as the cell allows.

    It is to lie a quarter of the frame from the top and from the right. Of the cell, `SPARE` beyond the frame's edges
    is left where it has as much: what drifts and what wraps around must not show.
    """
    spare = min(round(SPARE / sampling), (cell_pixels - pixels) // 2)
    wanted = np.rint(corner / sampling - pixels * np.array([0.25, 0.75]))
    top, left = np.clip(wanted, spare, cell_pixels - pixels - spare).astype(int).tolist()
    return top, left


def corner_of(model, tilt: tuple[float, float], cell: float) -> np.ndarray:
    """Place (y, x) [Å] of the particle's column that is farthest to the top and to the right."""
    return max(places(model, tilt, cell).values(), key=lambda place: place[1] - place[0])


def truth_rows(movie: Movie, item: int, cell: float, pixels: int, sampling: float) -> np.ndarray:
    """Projected columns that each frame shows, at their positions in it (`stemjax.data.datasets.TRUTH`)."""
    known = [column_rows(state.columns(cell), state.depth, movie.tilt, cell, item) for state in movie.states]
    frames = []
    for frame, (state, (down, right)) in enumerate(zip(movie.path, movie.drift, strict=True)):
        rows = known[state].copy()
        rows["frame"] = frame
        rows["y_angstrom"] += down - movie.window[0] * sampling
        rows["x_angstrom"] += right - movie.window[1] * sampling
        places = np.stack([rows["y_angstrom"], rows["x_angstrom"]])
        frames.append(rows[((places >= 0) & (places <= (pixels - 1) * sampling)).all(axis=0)])
    return np.concatenate(frames).astype(datasets.TRUTH)
