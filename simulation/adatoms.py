"""Movies of adatoms: a random walk on the sites of graphene, thermal jitter, and a specimen that drifts.

Positions are (x, y) [Å] with y down. `Movie.positions` are those in the frame: p = R l + d for an adatom at l in the
lattice of `simulation.graphene`, under a rotation R (x towards y) about the centre of pixel (0, 0) and the drift d.
"""

from dataclasses import dataclass
from math import pi

import numpy as np

from simulation.graphene import PRIMITIVE

STEP = PRIMITIVE / 3  # rows: the vectors of the grid of sites [Å]
HOPS = ((1, 0), (0, 1), (-1, 1), (-1, 0), (0, -1), (1, -1))  # to the six nearest sites, in steps
ATTEMPTS = 1000  # random sites per adatom before a density counts as impossible


@dataclass(frozen=True)
class Motion:
    """How adatoms and specimen move; lengths in Å.

    Parameters
    ----------
    hop : float
        Probability that an adatom tries a hop to a neighbouring site between two frames.
    jitter : float
        Standard deviation of its distance from the site, along x and along y, anew in each frame.
    distance : float
        No two adatoms are nearer: beyond it their images add up.
    drift : float
        Of the specimen between two frames.
    turn : float
        Standard deviation of the change of the drift's direction from frame to frame [rad].
    """

    hop: float = 0.3
    jitter: float = 0.15
    distance: float = 3.4
    drift: float = 0.15
    turn: float = 0.3


@dataclass(frozen=True)
class Movie:
    """Positions [T, N, 2] of the adatoms in the frame, and drift [T, 2] of the specimen, (x, y) [Å]."""

    positions: np.ndarray
    drift: np.ndarray


def simulate_movie(
    generator: np.random.Generator,
    frames: int,
    side: float,
    border: float,
    density: float,
    rotation_deg: float,
    motion: Motion = Motion(),  # noqa: B008
) -> Movie:
    """Adatoms moving in and around a square field of view.

    Parameters
    ----------
    generator : np.random.Generator
        The only source of randomness.
    side, border : float
        Of the field of view, and how far outside adatoms still show in it [Å].
    density : float
        Adatoms per Å².
    rotation_deg : float

    Raises
    ------
    ValueError
        If so many adatoms cannot keep their distance.
    """
    drift = _drift(generator, frames, motion)
    turned = rotation(rotation_deg)
    # A disc in the lattice that covers what the frame shows, and enough around it that its own edge stays outside.
    centre = (side / 2 - drift.mean(axis=0)) @ turned
    spread = np.ptp(drift, axis=0).max() + np.linalg.norm(STEP[0]) * 3 * np.sqrt(motion.hop * frames)
    radius = (side / 2 + border) * np.sqrt(2) + spread
    sites = _place(generator, centre, radius, round(density * pi * radius**2), motion)
    positions = np.empty((frames, len(sites), 2))
    for frame in range(frames):
        if frame:
            _hop(generator, sites, motion)
        positions[frame] = _jittered(generator, sites @ STEP, motion) @ turned.T + drift[frame]
    return Movie(positions, drift)


def rotation(degrees: float) -> np.ndarray:
    """Matrix [2, 2] that turns column vectors (x, y) from x towards y: clockwise on the screen, since y is down."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[cos, -sin], [sin, cos]])


def _drift(generator: np.random.Generator, frames: int, motion: Motion) -> np.ndarray:
    """Positions of the specimen [T, 2]: steps of one length whose direction wanders, from a random place in a cell."""
    direction = generator.uniform(0, 2 * pi) + np.cumsum(generator.normal(0, motion.turn, frames - 1))
    steps = motion.drift * np.stack([np.cos(direction), np.sin(direction)], axis=1)
    return np.concatenate([generator.uniform(size=(1, 2)) @ PRIMITIVE, steps]).cumsum(axis=0)


def _place(generator: np.random.Generator, centre, radius: float, count: int, motion: Motion) -> np.ndarray:
    """Sites of `count` adatoms in a disc, as whole steps int [N, 2], one by one where the distance allows."""
    sites = np.empty((count, 2), int)
    for index in range(count):
        for _ in range(ATTEMPTS):
            point = centre + radius * np.sqrt(generator.uniform()) * rotation(generator.uniform(0, 360))[:, 0]
            site = np.rint(point @ np.linalg.inv(STEP)).astype(int)
            if _is_free(site, sites[:index], motion):
                break
        else:
            area = pi * radius**2
            raise ValueError(f"{count} adatoms in {area:.0f} Å² cannot keep {motion.distance} Å apart: use fewer")
        sites[index] = site
    return sites


def _hop(generator: np.random.Generator, sites: np.ndarray, motion: Motion) -> None:
    """Move adatoms in place, one after the other; a hop too near to another adatom does not happen."""
    for index in np.flatnonzero(generator.uniform(size=len(sites)) < motion.hop):
        target = sites[index] + HOPS[generator.integers(len(HOPS))]
        if _is_free(target, np.delete(sites, index, axis=0), motion):
            sites[index] = target


def _is_free(site: np.ndarray, others: np.ndarray, motion: Motion) -> bool:
    return bool((((others - site) @ STEP) ** 2).sum(axis=1).min(initial=np.inf) >= motion.distance**2)


def _jittered(generator: np.random.Generator, positions: np.ndarray, motion: Motion) -> np.ndarray:
    """Positions [N, 2] off their sites; adatoms that would come too near to each other stay on theirs."""
    jitter = generator.normal(0, motion.jitter, positions.shape)
    while len(near := _near_pairs(positions + jitter, motion.distance)):
        jitter[near.ravel()] = 0
    return positions + jitter


def _near_pairs(positions: np.ndarray, distance: float) -> np.ndarray:
    """Indices int [P, 2] of the pairs nearer than a distance [Å]."""
    squared = ((positions[:, None] - positions) ** 2).sum(axis=-1)
    return np.argwhere(np.triu(squared < distance**2, 1))
