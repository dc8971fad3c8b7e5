"""Movies of platinum on a film: single atoms that hop, clusters that wobble and take up the atoms that reach them.

Positions are (x, y) [Å] in the frame, y down, from the centre of pixel (0, 0); the film's drift is in them. Atoms that
lie one behind the other, seen along the beam, count as one column.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from simulation.haadf import PT_LATTICE
from simulation.movies import drift_path

SAME_COLUMN = 0.35  # atoms whose projections are nearer than this are one column [Å]
ATTEMPTS = 200  # random places before a cluster or an atom counts as having no room
ZONE_AXIS = np.array([[0, 0, 1], [1, -1, 0], [1, 1, 0]]) / np.sqrt([[1], [2], [2]])  # rows: x, y and the beam


@dataclass(frozen=True)
class Motion:
    """What there is and how it moves; lengths in Å.

    Parameters
    ----------
    atoms, clusters : (float, float)
        Fewest and most per 1000 Å² of the film.
    largest : int
        Atoms of a cluster at most; their number is distributed uniformly on a logarithmic scale, from 2 on.
    zone_axis : float
        Part of the clusters that are seen along <110>; the others are turned at random.
    hop : float
        Probability that an atom moves between two frames.
    length : float
        Standard deviation of such a move, along x and along y.
    jitter : float
        Standard deviation of an atom's place in a frame about its site.
    wobble, turn : float
        Standard deviation of a cluster's move [Å] and turn [deg] in the plane between two frames.
    apart, reach : float
        Single atoms keep so far from each other; one that comes so near to an atom of a cluster is taken up.
    drift : float
        Of the film between two frames, root mean square.
    """

    atoms: tuple[float, float] = (4.0, 9.0)
    clusters: tuple[float, float] = (1.0, 2.5)
    largest: int = 350
    zone_axis: float = 0.5
    hop: float = 0.4
    length: float = 1.0
    jitter: float = 0.1
    wobble: float = 0.15
    turn: float = 1.0
    apart: float = 4.0
    reach: float = 3.0
    drift: float = 0.25


@dataclass(frozen=True)
class Cluster:
    """Columns of a cluster: places [M, 2] about its centre in its own axes, atoms in each [M], centre, angle [rad]."""

    columns: np.ndarray
    counts: np.ndarray
    centre: np.ndarray
    angle: float

    def places(self) -> np.ndarray:
        """Of the columns on the film, [M, 2]."""
        return self.centre + self.columns @ _turned(self.angle).T

    def with_atom(self, place: np.ndarray) -> "Cluster":
        """The cluster and a single atom that it has taken up."""
        column = (place - self.centre) @ _turned(self.angle)
        return replace(self, columns=np.vstack([self.columns, column]), counts=np.append(self.counts, 1))


@dataclass(frozen=True)
class Frame:
    """What lies on the film: columns [N, 2], atoms in each [N], which are single atoms [N]; centres, sizes [M]."""

    columns: np.ndarray
    counts: np.ndarray
    single: np.ndarray
    centres: np.ndarray
    sizes: np.ndarray


def fcc_fragment(generator: np.random.Generator, atoms: int, orientation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The `atoms` of an fcc crystal of platinum that are nearest to a random point, seen along the third row's axis.

    Returns
    -------
    columns : float64 [M, 2]
        About their centre [Å].
    counts : int [M]
        Atoms in each.
    """
    reach = int(np.ceil((3 * (atoms + 10) / (16 * np.pi)) ** (1 / 3))) + 2
    corner = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    crystal = (corner[:, None] + basis).reshape(-1, 3) - generator.uniform(size=3)
    chosen = crystal[np.argsort((crystal**2).sum(axis=1), kind="stable")[:atoms]]
    places = PT_LATTICE * (chosen - chosen.mean(axis=0)) @ orientation[:2].T
    owner = np.arange(atoms)
    for first, second in sorted(map(tuple, cKDTree(places).query_pairs(SAME_COLUMN, output_type="ndarray").tolist())):
        if owner[second] == second and owner[first] == first:
            owner[second] = first
    heads, column, counts = np.unique(owner, return_inverse=True, return_counts=True)
    sums = np.zeros((len(heads), 2))
    np.add.at(sums, column, places)
    return sums / counts[:, None], counts


def simulate_movie(
    generator: np.random.Generator, frames: int, side: float, border: float, motion: Motion
) -> tuple[list[Frame], np.ndarray]:
    """Frames of a square field of view of a film and what lies on it.

    Parameters
    ----------
    generator : np.random.Generator
        The only source of randomness.
    side, border : float
        Of the field of view, and how far outside atoms still show in it [Å].

    Returns
    -------
    list of Frame
        Everything on the film, in the frame or not.
    drift : float64 [T, 2]
        Of the film (x, y) [Å].
    """
    drift = drift_path(generator, frames, motion.drift, memory=0.8)
    low, high = -border - drift.max(axis=0), side + border - drift.min(axis=0)
    thousands = np.prod(high - low) / 1000
    clusters = _place_clusters(generator, low, high, round(thousands * generator.uniform(*motion.clusters)), motion)
    atoms = _place_atoms(generator, low, high, round(thousands * generator.uniform(*motion.atoms)), clusters, motion)
    seen = []
    for place in drift:
        if seen:
            clusters = [_moved(generator, cluster, motion) for cluster in clusters]
            atoms, clusters = _hop(generator, atoms, clusters, motion)
        jittered = atoms + generator.normal(0, motion.jitter, atoms.shape)
        columns = np.concatenate([jittered, *(cluster.places() for cluster in clusters)]) + place
        counts = np.concatenate([np.ones(len(atoms), int), *(cluster.counts for cluster in clusters)])
        single = np.arange(len(columns)) < len(atoms)
        centres = np.array([np.average(c.places(), axis=0, weights=c.counts) for c in clusters]).reshape(-1, 2) + place
        seen.append(Frame(columns, counts, single, centres, np.array([c.counts.sum() for c in clusters], int)))
    return seen, drift


def _place_clusters(generator, low, high, count: int, motion: Motion) -> list[Cluster]:
    """Clusters that do not touch, the largest first; those that find no room are left out."""
    clusters = []
    for atoms in sorted(np.exp(generator.uniform(np.log(2), np.log(motion.largest + 1), count)).astype(int))[::-1]:
        turned = np.linalg.qr(generator.normal(size=(3, 3)))[0]
        orientation = ZONE_AXIS if generator.uniform() < motion.zone_axis else turned
        columns, counts = fcc_fragment(generator, atoms, orientation)
        for _ in range(ATTEMPTS):
            trial = Cluster(columns, counts, generator.uniform(low, high), generator.uniform(0, 2 * np.pi))
            if _distance(trial.places(), clusters) > 2 * motion.apart:
                clusters.append(trial)
                break
    return clusters


def _place_atoms(generator, low, high, count: int, clusters: list[Cluster], motion: Motion) -> np.ndarray:
    """Single atoms [N, 2] that keep their distance; those that find no room are left out."""
    atoms = np.empty((0, 2))
    for _ in range(count):
        for _ in range(ATTEMPTS):
            trial = generator.uniform(low, high)
            if _distance(trial[None], clusters) > motion.apart and _is_free(trial, atoms, motion):
                atoms = np.vstack([atoms, trial])
                break
    return atoms


def _hop(generator, atoms: np.ndarray, clusters: list[Cluster], motion: Motion) -> tuple[np.ndarray, list[Cluster]]:
    """Single atoms move, one after the other; one that reaches a cluster becomes a part of it."""
    atoms, clusters, taken = atoms.copy(), list(clusters), []
    moves = generator.normal(0, motion.length, atoms.shape) * (generator.uniform(size=(len(atoms), 1)) < motion.hop)
    for index, move in enumerate(moves):
        target = atoms[index] + move
        near = [_distance(target[None], [cluster]) for cluster in clusters]
        if min(near, default=np.inf) < motion.reach:
            nearest = int(np.argmin(near))
            if near[nearest] < motion.reach - 0.5:  # it stays beside the cluster's atoms, not upon them
                target = atoms[index]
            clusters[nearest] = clusters[nearest].with_atom(target)
            taken.append(index)
        elif _is_free(target, np.delete(atoms, [index, *taken], axis=0), motion):
            atoms[index] = target
    return np.delete(atoms, taken, axis=0), clusters


def _moved(generator, cluster: Cluster, motion: Motion) -> Cluster:
    angle = cluster.angle + np.deg2rad(generator.normal(0, motion.turn))
    return replace(cluster, centre=cluster.centre + generator.normal(0, motion.wobble, 2), angle=angle)


def _turned(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _distance(places: np.ndarray, clusters: list[Cluster]) -> float:
    """Shortest distance between places [N, 2] and the columns of clusters [Å]."""
    if not clusters:
        return np.inf
    return float(cKDTree(np.concatenate([cluster.places() for cluster in clusters])).query(places)[0].min())


def _is_free(place: np.ndarray, others: np.ndarray, motion: Motion) -> bool:
    return bool((((others - place) ** 2).sum(axis=1)).min(initial=np.inf) >= motion.apart**2)
