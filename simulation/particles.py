"""Models whose columns can be taken away one by one: a metal particle on ceria, and gold on amorphous carbon.

Coordinates as in `simulation.structures`: x to the right, y down, z along the beam, Å; the beam enters at z = 0. Both
models have

    columns(cell)   the projected columns; those of the particle have a `site`
    atoms(cell)     ASE atoms in a cell of cell x cell x depth
    without(sites)  the same model without these columns
    facts()         what the manifest says of it
"""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from math import ceil, cos, radians, sin, sqrt

import numpy as np
from scipy.spatial import cKDTree

from simulation import structures as models
from simulation.structures import Column, Structure

GOLD_LATTICE = 4.078
CARBON_DENSITY = 2.0  # g/cm³
CARBON_MASS = 12.011  # g/mol
AVOGADRO = 0.602214076  # 1e24/mol
CARBON_DISTANCE = 1.4  # shortest between two atoms, Å
GAP = 2.3  # carbon to gold, Å
ABOVE = 1.0  # vacuum behind the gold, Å


@dataclass(frozen=True)
class OnCeria:
    """A particle of Pt or Co on ceria."""

    structure: Structure

    @property
    def depth(self) -> float:
        return models.depth(self.structure)

    def columns(self, cell: float) -> list[Column]:
        return models.columns(self.structure, cell)

    def atoms(self, cell: float):
        return models.build_atoms(self.structure, cell)

    def without(self, sites) -> "OnCeria":
        kept = (*self.structure.kept, *((site, 0) for site in sites))
        return replace(self, structure=replace(self.structure, kept=kept))

    def facts(self) -> dict:
        structure = self.structure
        return {"particle": structure.particle, "support": structure.support, "thickness_angstrom": structure.thickness}


@dataclass(frozen=True)
class GoldOnCarbon:
    """A truncated octahedron of fcc gold, seen along [110], behind a film of amorphous carbon.

    The octahedron is bounded by {111} and {100} faces and cut flat where it lies on the film. The carbon atoms are
    placed at random, no two closer than a bond.

    Parameters
    ----------
    size : float
        Distance between opposite {111} faces [Å].
    ratio : float
        Distance of the {100} faces over that of the {111} faces; Wulff's theorem: the ratio of their surface energies.
    turn : float
        Of the particle about the beam, from x to y [deg].
    film : float
        Thickness of the carbon [Å].
    seed : int
        Of the carbon, and of the particle's centre in its lattice.
    missing : tuple of (int, int)
        Sites of columns that are empty.
    """

    size: float
    ratio: float = 1.15
    turn: float = 0.0
    film: float = 25.0
    seed: int = 0
    missing: tuple[tuple[int, int], ...] = ()

    @cached_property
    def _whole(self) -> dict[tuple[int, int], np.ndarray]:
        """Site -> heights of its atoms above the film [Å], of the particle without losses.

        Lattice points a/2 (i, j, k) with i + j + k even; with the beam along [110], a column is (i - j, k).
        """
        centre = np.random.default_rng(self.seed).uniform(-0.5, 0.5, 3)
        far = self.size / 2
        reach = ceil(2 * self.ratio * far / GOLD_LATTICE) + 1
        index = np.array(list(product(range(-reach, reach + 1), repeat=3)))
        index = index[index.sum(axis=1) % 2 == 0]
        distance = np.abs(GOLD_LATTICE / 2 * (index + centre))
        inside = (distance.max(axis=1) <= self.ratio * far) & (distance.sum(axis=1) <= sqrt(3) * far)
        i, j, k = index[inside].T
        height = (i + j) * GOLD_LATTICE / sqrt(8)
        base = height >= -0.7 * far
        i, j, k, height = i[base], j[base], k[base], height[base] - height[base].min()
        order = np.lexsort((height, k, i - j))
        sites, first = np.unique(np.stack([i - j, k], axis=1)[order], axis=0, return_index=True)
        return dict(zip(map(tuple, sites.tolist()), np.split(height[order], first[1:]), strict=True))

    @property
    def depth(self) -> float:
        return self.film + GAP + max(heights[-1] for heights in self._whole.values()) + ABOVE

    def columns(self, cell: float) -> list[Column]:
        """Columns of gold, the particle in the middle of the cell.

        Raises
        ------
        ValueError
            If the cell is too small for the particle.
        """
        if self.size * 1.25 + 2 > cell:
            needed = self.size * 1.25 + 2
            raise ValueError(f"a cell of {cell:g} Å is too small for {self.size:g} Å of gold; use {needed:.0f} or more")
        present = {site: heights for site, heights in self._whole.items() if site not in self.missing}
        middle = np.mean(list(self._whole), axis=0)
        cosine, sine = cos(radians(self.turn)), sin(radians(self.turn))
        columns = []
        for (p, q), heights in present.items():
            u, v = (p - middle[0]) * GOLD_LATTICE / sqrt(8), (q - middle[1]) * GOLD_LATTICE / 2
            x, y = cell / 2 + cosine * u - sine * v, cell / 2 + sine * u + cosine * v
            around = [(p + 2, q), (p - 2, q), *((p + dp, q + dq) for dp in (1, -1) for dq in (1, -1))]
            surface = any(site not in present for site in around)
            columns.append(Column(x, y, "Au", tuple((self.film + GAP + heights).tolist()), surface, (p, q)))
        return columns

    def atoms(self, cell: float):
        from ase import Atoms

        gold = [(column.x, column.y, z) for column in self.columns(cell) for z in column.heights]
        carbon = amorphous_carbon(cell, self.film, self.seed)
        symbols = ["Au"] * len(gold) + ["C"] * len(carbon)
        return Atoms(symbols, np.concatenate([gold, carbon]), cell=(cell, cell, self.depth), pbc=True)

    def without(self, sites) -> "GoldOnCarbon":
        return replace(self, missing=(*self.missing, *sites))

    def facts(self) -> dict:
        lengths = {"size_angstrom": self.size, "film_angstrom": self.film}
        return lengths | {"ratio": self.ratio, "turn_deg": self.turn}


def amorphous_carbon(cell: float, thickness: float, seed: int) -> np.ndarray:
    """Positions [n, 3] of carbon at 2 g/cm³, at random and 1.4 Å or more apart, periodic in x and y [Å]."""
    generator = np.random.default_rng([seed, 1])
    total = round(cell**2 * thickness * CARBON_DENSITY * AVOGADRO / CARBON_MASS)
    placed = np.zeros((0, 3))
    while len(placed) < total:
        # Proposals in an order; one stays if it is far enough from all that are placed and from earlier proposals.
        proposed = generator.uniform(0, (cell, cell, thickness), (total, 3))
        box = (cell, cell, 0)  # not periodic in z
        if len(placed):
            distance, _ = cKDTree(placed, boxsize=box).query(proposed, distance_upper_bound=CARBON_DISTANCE)
            proposed = proposed[np.isinf(distance)]
        pairs = cKDTree(proposed, boxsize=box).query_pairs(CARBON_DISTANCE, output_type="ndarray")
        close = np.zeros(len(proposed), bool)
        close[pairs.max(axis=1)] = True
        placed = np.concatenate([placed, proposed[~close]])[:total]
    return placed
