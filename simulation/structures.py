"""The atomic models: Pt (or Co) nanoparticles on a CeO2 (111) surface, seen along CeO2 [1-10] and the metal's [110].

Coordinates are those of the image: x to the right, y **down**, z along the beam (it enters at z = 0), all in Å. A model
is a list of projected atomic columns; the ASE atoms and the true column positions both come from that list.

A particle is a stack of rows of columns, counted from the top; columns are counted from the right. Row r of the
particle (first, left, peak) has columns of

    first + r, first + r + 1, ..., first + r + peak, ..., first + left + 1, first + left      atoms.

Each row is shifted by a third of the pitch to the right of the row above and is one column longer, so the right side is
an edge-on {111} facet and the left side an edge-on {100} facet. Every column is centred on the middle of the support.

``python -m simulation.structures`` prints the table of all models.
"""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import product
from math import sqrt

import numpy as np

CERIA_LATTICE = 5.411
CERIA_PITCH = CERIA_LATTICE * sqrt(6) / 4  # Ce to Ce along x
CERIA_ROW = CERIA_LATTICE / sqrt(3)  # Ce row to Ce row along y
CERIA_PLANE = CERIA_LATTICE / (2 * sqrt(2))  # half the repeat along the beam
CERIA_PLANES = {30: 16, 40: 20, 50: 26, 60: 32}  # support thickness [Å] -> atomic planes along the beam

INTERFACE_GAP = 2.46  # last row of metal to first Ce row, fitted for Pt
INTERFACE_OFFSET = 0.50  # rightmost metal column of the last row to the nearest Ce column on its left, along x
VACUUM = 0.22  # part of the cell above the top row of metal: 11 Å of 50.1 Å


@dataclass(frozen=True)
class Metal:
    """Distances in a particle [Å]: column to column in a row, row to row, atom to atom in a column.

    The particle's last row is centred so far to the left (`aside`) of the cell's middle.
    """

    pitch: float
    row: float
    repeat: float
    aside: float = 0.0

    @classmethod
    def fcc(cls, lattice: float) -> "Metal":
        """Of a face-centred cubic crystal along [110], (111) rows, from its lattice constant [Å]."""
        return cls(lattice * sqrt(6) / 4, lattice / sqrt(3), lattice / sqrt(2))


# The first two letters of a particle's name say what it is made of. Pt as fitted on the published image.
# Aside as it stands there: the misfit of the support at the cell's edges is outside that image.
METALS = {"Pt": Metal(2.442, 2.3025, 2.820, aside=1.8), "Co": Metal.fcc(3.544)}


@dataclass(frozen=True)
class Particle:
    """Shape of a particle; see the module's docstring. `missing` are (row, column) sites that are always empty."""

    first: int
    left: int
    peak: int
    rows: int
    missing: tuple[tuple[int, int], ...] = ()

    def width(self, row: int) -> int:
        """Number of columns in a row."""
        return 2 * self.peak - self.left + row + 1

    def atoms(self, row: int, column: int) -> int:
        """Atoms in a column of the perfect particle."""
        return self.first + row + min(column, 2 * self.peak - column)

    def lengths(self) -> list[list[int]]:
        """Atoms in the columns of every row, from the right; 0 where a site is always empty."""
        empty = {(row, column % self.width(row)) for row, column in self.missing}
        sites = [[(row, column) for column in range(self.width(row))] for row in range(self.rows)]
        return [[0 if site in empty else self.atoms(*site) for site in row] for row in sites]


# As in the published images of PtNp2, where no atom stands at the left end of the fourth row.
PARTICLES = {
    "PtNp1": Particle(first=3, left=2, peak=4, rows=5, missing=((3, -1),)),  # 2 nm
    "PtNp2": Particle(first=3, left=2, peak=4, rows=5, missing=((3, -1), (4, -1))),  # one interface column fewer
    "PtNp3": Particle(first=2, left=1, peak=2, rows=3),  # 1 nm
    "PtNp4": Particle(first=3, left=2, peak=5, rows=6),  # 3 nm
}
COBALT_PARTICLES = {
    "CoNp1": Particle(first=3, left=2, peak=5, rows=6),  # 2.5 nm
    "CoNp2": Particle(first=3, left=2, peak=6, rows=7),  # 3 nm
    "CoNp3": Particle(first=4, left=3, peak=7, rows=7),  # 3 nm, with a wide top
    "CoNp4": Particle(first=3, left=2, peak=7, rows=8),  # 4 nm
}
SHAPES = PARTICLES | COBALT_PARTICLES

HALF = -1  # atoms kept: half of them
DEFECTS = {  # (row, column) -> atoms kept; column -1 is the left end of its row
    "D0": {},  # none
    "D1": {(0, -1): 0},  # one surface column removed
    "D2": {(0, -1): 0, (0, -2): 0},  # two surface columns removed
    "Dh": {(1, -1): HALF},  # one surface column at half occupancy
    "Ds": {(0, 0): 1},  # one surface column reduced to a single atom
}

# The sites of the surface set on PtNp2, each with the empty site beside it that takes the added atom. They hold four
# atoms or more, so that the four kinds differ.
SURFACE_SITES = {
    **{f"top{c}": ((0, c), (-1, c)) for c in range(1, 6)},
    **{f"left{r}": ((r, 6 + r), (r, 7 + r)) for r in range(3)},
    **{f"right{r}": ((r, 0), (r, -1)) for r in range(1, 4)},
}
SURFACE_KINDS = ("minus1", "minus2", "single", "plus1")


@dataclass(frozen=True)
class Structure:
    """One row of the table of structures.

    Parameters
    ----------
    particle, defect, support : str
        Names; support is "faceted" (perfect surface) or "defected" (one Ce column of the top layer missing beside the
        particle, with its oxygen).
    thickness : int
        Nominal thickness of the support along the beam [Å].
    kept : tuple of ((row, column), atoms)
        Columns of metal that differ from the perfect particle, and the atoms that they keep.
    added : tuple of ((row, column), atoms), or None
        Sites outside the particle, or always empty in it, that hold atoms.
    split : str
        "train", "validation" or "test".
    """

    particle: str
    defect: str
    support: str
    thickness: int
    kept: tuple = ()
    added: tuple | None = None
    split: str = "test"

    @property
    def unit(self) -> str:
        """What is split: all thicknesses, tilts and defoci of a unit are in the same split."""
        return f"{self.particle}-{self.defect}-{self.support}"

    @property
    def name(self) -> str:
        return f"{self.unit}-{self.thickness}"


def split_of(unit_number: int) -> str:
    """Split of the n-th of the 35 units, in the order of `pt_ceo2_structures`: 20 train, 5 validation, 10 test.

    A particle on a support has 5 defects and there are 7 of those, so n modulo 7 gives every defect 4, 1 and 2 units.
    """
    return {4: "validation", 3: "test", 6: "test"}.get(unit_number % 7, "train")


def pt_ceo2_structures() -> list[Structure]:
    """The 95 structures: 4 particles x 5 defects x 4 thicknesses on faceted ceria, 3 x 5 at 50 Å on defected ceria."""
    bases = [(particle, "faceted", (30, 40, 50, 60)) for particle in PARTICLES]
    bases += [(particle, "defected", (50,)) for particle in ("PtNp1", "PtNp2", "PtNp4")]
    units = [(particle, defect, support, depths) for (particle, support, depths), defect in product(bases, DEFECTS)]
    return [
        Structure(particle, defect, support, thickness, tuple(DEFECTS[defect].items()), None, split_of(number))
        for number, (particle, defect, support, thicknesses) in enumerate(units)
        for thickness in thicknesses
    ]


def pt_ceo2_surface_structures() -> list[Structure]:
    """The 44 structures of the surface set: 11 surface sites of PtNp2 x 4 removals or additions, all of them test."""
    structures = []
    for (site, (column, beside)), kind in product(SURFACE_SITES.items(), SURFACE_KINDS):
        atoms = PARTICLES["PtNp2"].atoms(*column)
        kept = {"minus1": atoms - 1, "minus2": atoms - 2, "single": 1}
        edit = ((column, kept[kind]),) if kind in kept else ()
        structures.append(Structure("PtNp2", f"{site}_{kind}", "faceted", 40, edit, None if edit else ((beside, 1),)))
    return structures


def named_structure(name: str, thickness: int = 40) -> Structure:
    """A structure by a name like those of Mohan et al.: a particle and its edits, as PtNp2-S3_2-S5_2.

    S1 is the left end of the particle's last row, S2 that of the row above it, and so on; ``S3_2`` takes 2 atoms from
    S3. ``S1-2_2`` puts 2 atoms on the site of S2, which is empty in PtNp1 and PtNp2: so the name of the published image
    is read, whose grammar is not explained. A particle's name alone, or with one of the defects D0, D1, D2, Dh and Ds,
    is that of the table of structures.

    Raises
    ------
    ValueError
        If the particle or an edit is unknown, or a column holds fewer atoms than are to go.

    Examples
    --------
    >>> named_structure("PtNp2-S3_2-S5_2").kept
    (((2, -1), 3), ((0, -1), 3))
    """
    particle, *edits = re.split(r"-(?=[A-Z])", name)
    if particle not in SHAPES:
        raise ValueError(f"{name}: no particle {particle!r}; there are {', '.join(SHAPES)}")
    if thickness not in CERIA_PLANES:
        raise ValueError(f"{name}: no support of {thickness} Å; there are {', '.join(map(str, CERIA_PLANES))}")
    if len(edits) <= 1 and (not edits or edits[0] in DEFECTS):
        defect = edits[0] if edits else "D0"
        return Structure(particle, defect, "faceted", thickness, tuple(DEFECTS[defect].items()))
    shape, kept, added = SHAPES[particle], {}, {}
    for edit in edits:
        if not (match := re.fullmatch(r"S(\d|1-2)_(\d+)", edit)):
            raise ValueError(
                f"{name}: no edit {edit!r}; write S3_2 (2 atoms from site S3), S1-2_2, or one of D1 ... Ds"
            )
        number, count = match[1], int(match[2])
        row = shape.rows - (2 if number == "1-2" else int(number))
        site = row, -1
        if not 0 <= row < shape.rows or (site in shape.missing) != (number == "1-2"):
            raise ValueError(f"{name}: {particle} has no site S{number} for {edit}")
        if number == "1-2":
            added[row, shape.width(row) - 1] = count
            continue
        left = shape.atoms(row, shape.width(row) - 1) - count
        if left < 0:
            raise ValueError(f"{name}: {edit} takes {count} atoms from a column of {left + count}")
        kept[site] = left
    pairs = tuple(added.items()) or None
    return Structure(particle, "-".join(edits), "faceted", thickness, tuple(kept.items()), pairs)


def reference_structure() -> Structure:
    """PtNp2 as in the published Dr. Probe image: one atom less at S3, two on the empty site below it."""
    return named_structure("PtNp2-S1-2_2-S3_1")


def platinum_recipe(structures: Iterable[Structure]) -> dict:
    """What a recipe says of the Pt particles among these structures: {} if there are none.

    ``{"platinum": {"lattice": ..., "rows": {particle: atoms in every column of every row, from the right}}}``. A name
    alone would not say that a particle's columns changed. Recipes of Co are older than this and stay as they are.
    """
    names = sorted({structure.particle for structure in structures if structure.particle in PARTICLES})
    rows = {name: PARTICLES[name].lengths() for name in names}
    return {"platinum": {"lattice": asdict(METALS["Pt"]), "rows": rows}} if names else {}


@dataclass(frozen=True)
class Column:
    """A projected atomic column at (x, y) with atoms at the heights z [Å].

    `surface` says whether it faces vacuum; `site` is (row, column) of one that belongs to a particle.
    """

    x: float
    y: float
    species: str
    heights: tuple[float, ...]
    surface: bool
    site: tuple[int, int] | None = None


def depth(structure: Structure) -> float:
    """Depth of the model along the beam [Å]: its atomic planes times their distance."""
    return CERIA_PLANES[structure.thickness] * CERIA_PLANE


def columns(structure: Structure, cell: float = 50.1) -> list[Column]:
    """All atomic columns of a structure in a square cell of side `cell` [Å]; the particle is near its middle in x.

    A larger cell has more vacuum above the particle and more support around and below it.

    Raises
    ------
    ValueError
        If the cell is too small for the particle.
    """
    particle, metal = SHAPES[structure.particle], metal_of(structure)
    span = (particle.width(particle.rows - 1) - 1) * metal.pitch
    if span + 2 * CERIA_PITCH + 5 > cell:
        raise ValueError(f"a cell of {cell:g} Å is too small for {structure.particle}; use {span + 12:.0f} Å or more")
    metallic = _particle(structure, x=(cell + span) / 2 - metal.aside, y=VACUUM * cell)
    last = [column for column in metallic if column.y > VACUUM * cell + (particle.rows - 1.5) * metal.row]
    return metallic + _ceria(structure, cell, last)


def metal_of(structure: Structure) -> Metal:
    """The lattice of a structure's particle."""
    return METALS[structure.particle[:2]]


def _particle(structure: Structure, x: float, y: float) -> list[Column]:
    """Columns of the particle whose last row ends at `x` on the right and whose top row is at height `y`."""
    particle, metal, species = SHAPES[structure.particle], metal_of(structure), structure.particle[:2]
    atoms = {(r, c): particle.atoms(r, c) for r in range(particle.rows) for c in range(particle.width(r))}
    for row, column in particle.missing:
        del atoms[row, column % particle.width(row)]
    limit = int(structure.thickness / metal.repeat)
    # Neighbouring columns differ by half a repeat in height, hence by an odd number of atoms: keep the parity.
    sites = {site: count if count <= limit else limit - (count - limit) % 2 for site, count in atoms.items()}
    kept = dict(sites)
    for (row, column), count in structure.kept:
        site = row, column % particle.width(row)
        kept[site] = sites[site] // 2 if count == HALF else min(count, sites[site])
    for (row, column), count in structure.added or ():
        # The site counts as one of as many atoms as keep the parity: one atom may stand half a repeat off the middle.
        sites[row, column], kept[row, column] = count + (particle.atoms(row, column) - count) % 2, count

    middle, columns = depth(structure) / 2, []
    for (row, column), count in kept.items():
        if count == 0:
            continue
        start = (sites[row, column] - count) // 2  # the central atoms stay; an odd one goes at the exit face
        heights = middle + metal.repeat * (np.arange(start, start + count) - (sites[row, column] - 1) / 2)
        around = [(row, column - 1), (row, column + 1), (row - 1, column), (row - 1, column - 1)]
        if row < particle.rows - 1:
            around += [(row + 1, column), (row + 1, column + 1)]
        across = x + (row - particle.rows + 1) * metal.pitch / 3 - column * metal.pitch
        surface = any(not kept.get(site) for site in around)
        columns.append(Column(across, y + row * metal.row, species, tuple(heights.tolist()), surface, (row, column)))
    return columns


def _ceria(structure: Structure, cell: float, interface: list[Column]) -> list[Column]:
    """Columns of the support, oxygen-terminated, from below the `interface` row of metal down to the cell's lower edge.

    A row holds as many whole pitches as fit into the cell; the remaining misfit lies at the cell's left and right edge.
    """
    left, right = min(column.x for column in interface), max(column.x for column in interface)
    x0, y0 = right - INTERFACE_OFFSET, interface[0].y + INTERFACE_GAP
    width, planes = int(cell / CERIA_PITCH), CERIA_PLANES[structure.thickness]
    rows = int((cell - y0 - CERIA_ROW / 4) / CERIA_ROW) + 1
    vacancy = (0, 1) if structure.support == "defected" else None

    columns = []
    for row in range(rows):
        first = int(np.ceil((cell / 2 - x0 + row * CERIA_PITCH / 3) / CERIA_PITCH - width / 2))
        for column in range(first, first + width):
            if (row, column) == vacancy:
                continue
            x, y = x0 + (column - row / 3) * CERIA_PITCH, y0 + row * CERIA_ROW
            bare = not left - metal_of(structure).pitch / 2 < x < right + metal_of(structure).pitch / 2
            around = [(row, column - 1), (row, column + 1), (row - 1, column), (row - 1, column - 1)]
            surface = (row == 0 and bare) or vacancy in around
            parity = (row + column) % 2
            cerium, oxygen = (CERIA_PLANE * (np.arange(p, planes, 2) + 0.5) for p in (parity, 1 - parity))
            columns.append(Column(x, y, "Ce", tuple(cerium.tolist()), surface))
            for side in (1, -1):
                place = (x + side * CERIA_PITCH / 3) % cell, y - side * CERIA_ROW / 4
                columns.append(Column(*place, "O", tuple(oxygen.tolist()), surface))
    return columns


def build_atoms(structure: Structure, cell: float = 50.1):
    """ASE atoms of a structure in a cell of ``cell x cell x depth(structure)`` [Å]."""
    from ase import Atoms

    parts = columns(structure, cell)
    symbols = [column.species for column in parts for _ in column.heights]
    positions = [(column.x, column.y, z) for column in parts for z in column.heights]
    return Atoms(symbols, positions, cell=(cell, cell, depth(structure)), pbc=True)


if __name__ == "__main__":
    for number, structure in enumerate(pt_ceo2_structures() + pt_ceo2_surface_structures(), start=1):
        fields = structure.particle, structure.defect, structure.support, structure.thickness, structure.split
        print("{:4d}  {:6s} {:14s} {:9s} {:3d} Å  {}".format(number, *fields))
