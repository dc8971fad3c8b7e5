"""The table of structures and the atoms and columns built from it."""

from collections import Counter

import numpy as np
import pytest

from simulation import structures
from simulation.structures import DEFECTS, PARTICLES, Structure

PERFECT = Structure("PtNp2", "D0", "faceted", 40)


def rows_of(columns, species):
    """Numbers of atoms row by row from the top, each row from the right."""
    chosen = [column for column in columns if column.species == species]
    heights = sorted({round(column.y, 2) for column in chosen})
    rows = [[column for column in chosen if round(column.y, 2) == y] for y in heights]
    return [[len(column.heights) for column in sorted(row, key=lambda c: -c.x)] for row in rows]


def test_columns_of_ptnp2_are_those_of_the_published_image():
    rows = rows_of(structures.columns(PERFECT), "Pt")
    assert rows == [
        [3, 4, 5, 6, 7, 6, 5],
        [4, 5, 6, 7, 8, 7, 6, 5],
        [5, 6, 7, 8, 9, 8, 7, 6, 5],
        [6, 7, 8, 9, 10, 9, 8, 7, 6],  # its left end, 5, is empty
        [7, 8, 9, 10, 11, 10, 9, 8, 7, 6],
    ]


def test_lengths_are_those_of_the_built_columns():
    for name in PARTICLES:
        built = rows_of(structures.columns(Structure(name, "D0", "faceted", 60)), "Pt")
        assert [[n for n in row if n] for row in PARTICLES[name].lengths()] == built


def test_structures_by_the_names_of_the_authors():
    def left_ends(name):
        columns = structures.columns(structures.named_structure(name))
        return {row: len(c.heights) for c in sorted(columns, key=lambda c: -c.x) if c.site for row in [c.site[0]]}

    perfect = {0: 5, 1: 5, 2: 5, 3: 6, 4: 6}
    assert left_ends("PtNp2") == perfect
    assert left_ends("PtNp2-S3_2-S5_2") == perfect | {2: 3, 0: 3}
    assert left_ends("PtNp2-S1-2_2-S3_1") == perfect | {2: 4, 3: 2}
    assert left_ends("PtNp1-S1_1") == perfect | {4: 4}
    assert structures.named_structure("PtNp4-Ds", 60).kept == tuple(DEFECTS["Ds"].items())


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("PdNp2-S3_1", "no particle 'PdNp2'"),
        ("PtNp2-S3", "no edit 'S3'"),
        ("PtNp2-S2_1", "no site S2"),
        ("PtNp2-S9_1", "no site S9"),
        ("PtNp4-S1-2_1", "no site S1-2"),
        ("PtNp2-S3_6", "takes 6 atoms from a column of 5"),
        ("PtNp2-D9", "no edit 'D9'"),
    ],
)
def test_names_that_mean_nothing_are_refused(name, complaint):
    with pytest.raises(ValueError, match=complaint):
        structures.named_structure(name)


def test_what_is_added_or_left_of_a_column_stands_at_the_entrance_face():
    """As in the published image, where the one atom that row 3 lost is missing at the exit face."""
    whole, lost = (structures.columns(structures.named_structure(name)) for name in ("PtNp2", "PtNp2-S3_1"))
    site = (2, PARTICLES["PtNp2"].width(2) - 1)
    before, after = (next(c.heights for c in columns if c.site == site) for columns in (whole, lost))
    assert after == before[:-1]


def test_other_particles_and_their_defects():
    def rows(particle, defect, thickness=50):
        return rows_of(
            structures.columns(structures.Structure(particle, defect, "faceted", thickness, kept(defect))), "Pt"
        )

    def kept(defect):
        return tuple(DEFECTS[defect].items())

    assert rows("PtNp1", "D0")[-1] == [7, 8, 9, 10, 11, 10, 9, 8, 7, 6, 5]
    assert rows("PtNp3", "D0") == [[2, 3, 4, 3], [3, 4, 5, 4, 3], [4, 5, 6, 5, 4, 3]]
    assert rows("PtNp2", "D1")[0] == [3, 4, 5, 6, 7, 6]
    assert rows("PtNp2", "D2")[0] == [3, 4, 5, 6, 7]
    assert rows("PtNp2", "Dh")[1] == [4, 5, 6, 7, 8, 7, 6, 2]
    assert rows("PtNp2", "Ds")[0] == [1, 4, 5, 6, 7, 6, 5]
    assert max(map(max, rows("PtNp4", "D0", 50))) == 13
    assert max(map(max, rows("PtNp4", "D0", 30))) == 10  # capped at thickness / 2.82


def test_ceria_is_fluorite():
    """Distances between the atoms inside the built support against ASE's crystal of space group 225."""
    spacegroup = pytest.importorskip("ase.spacegroup", reason="ASE is not installed (extra `simulation`)")
    atoms = structures.build_atoms(PERFECT)
    ceria = atoms[[a.symbol != "Pt" for a in atoms]]
    a = structures.CERIA_LATTICE
    crystal = spacegroup.crystal(
        ["Ce", "O"], [(0, 0, 0), (0.25, 0.25, 0.25)], spacegroup=225, cellpar=[a] * 3 + [90] * 3
    )
    crystal = crystal.repeat(5)

    def nearest(model, symbol, point):
        positions = model.positions[[s == symbol for s in model.symbols]]
        return positions[np.linalg.norm(positions - point, axis=1).argmin()]

    def distances(model, centre, symbol):
        found = np.linalg.norm(model.positions[[s == symbol for s in model.symbols]] - centre, axis=1)
        return np.sort(found[(found > 1e-3) & (found < 5.9)])

    for symbol in ("Ce", "O"):
        here = nearest(ceria, symbol, [25.0, 38.0, structures.depth(PERFECT) / 2])
        there = nearest(crystal, symbol, crystal.cell.sum(axis=0) / 2)
        for other in ("Ce", "O"):
            ours, theirs = distances(ceria, here, other), distances(crystal, there, other)
            assert len(ours) == len(theirs) > 10
            np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_no_two_atoms_are_too_close():
    pytest.importorskip("ase", reason="ASE is not installed (extra `simulation`)")
    from scipy.spatial import cKDTree

    for structure in structures.pt_ceo2_structures()[::9] + structures.pt_ceo2_surface_structures():
        positions = structures.build_atoms(structure).positions
        assert cKDTree(positions).query(positions, k=2)[0][:, 1].min() > 1.5, structure.name


def test_table_has_95_structures_in_35_units_split_by_unit():
    table = structures.pt_ceo2_structures()
    assert len(table) == len({structure.name for structure in table}) == 95
    split = {structure.unit: structure.split for structure in table}
    assert all(split[structure.unit] == structure.split for structure in table)
    assert Counter(split.values()) == {"train": 20, "validation": 5, "test": 10}
    for position, names in ((0, PARTICLES), (1, DEFECTS), (2, ("faceted", "defected"))):
        for name in names:
            found = {role for unit, role in split.items() if unit.split("-")[position] == name}
            assert {"train", "test"} <= found, name
    assert {unit.split("-")[0] for unit, role in split.items() if role == "validation"} == set(PARTICLES)


def test_surface_set_has_44_structures():
    table = structures.pt_ceo2_surface_structures()
    assert len({structure.name for structure in table}) == 44
    assert len({(structure.kept, structure.added) for structure in table}) == 44
    perfect = sum(sum(row) for row in rows_of(structures.columns(PERFECT), "Pt"))
    for structure in table:
        atoms = sum(sum(row) for row in rows_of(structures.columns(structure), "Pt"))
        lost = {"minus1": 1, "minus2": 2, "plus1": -1}.get(structure.defect.split("_")[1])
        assert atoms == perfect - lost if lost else atoms < perfect, structure.name


def test_columns_hold_all_atoms():
    pytest.importorskip("ase", reason="ASE is not installed (extra `simulation`)")
    for structure in structures.pt_ceo2_structures()[::7]:
        counts = Counter()
        for column in structures.columns(structure):
            counts[column.species] += len(column.heights)
        assert counts == Counter(structures.build_atoms(structure).symbols)


def test_defected_support_lacks_one_column_beside_the_particle():
    faceted, defected = (
        structures.columns(Structure("PtNp2", "D0", support, 50)) for support in ("faceted", "defected")
    )
    lost = {(c.x, c.y, c.species) for c in faceted} - {(c.x, c.y, c.species) for c in defected}
    assert sorted(species for *_, species in lost) == ["Ce", "O", "O"]
    right = max(column.x for column in faceted if column.species == "Pt")
    assert all(right < x < right + 5 for x, *_ in lost)


def test_surface_columns_are_the_outline():
    columns = structures.columns(PERFECT)
    surface = [column for column in columns if column.species == "Pt" and column.surface]
    assert len(surface) == 7 + 2 * 4  # the top row and both ends of the others
    assert not any(column.surface for column in columns if column.species == "Ce" and column.y > 25)


@pytest.mark.parametrize("cell", [50.1, 69, 87, 107])
def test_larger_cells_extend_support_and_vacuum(cell):
    columns = structures.columns(Structure("PtNp4", "D0", "faceted", 60), cell)
    x, y = np.array([(column.x, column.y) for column in columns]).T
    assert 0 <= x.min() < 3 and cell - 3 < x.max() <= cell
    assert y.min() >= 10 and cell - 4 < y.max() <= cell


def test_a_cell_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match="too small for PtNp4; use 4[0-9] Å or more"):
        structures.columns(Structure("PtNp4", "D0", "faceted", 60), 35)
