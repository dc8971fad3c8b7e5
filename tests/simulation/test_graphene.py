"""STEM images of Au on graphene: the structure, agreement with abTEM's own probe, known images, and the data set."""

from dataclasses import replace

import numpy as np
import pytest

abtem = pytest.importorskip("abtem", reason="abTEM is not installed (extra `simulation`)")

from simulation import au_graphene, graphene  # noqa: E402
from simulation.graphene import Aberrations, Stem  # noqa: E402
from stemjax.data.au_graphene import GrapheneImaging, read_motion  # noqa: E402
from stemjax.data.datasets import verify  # noqa: E402
from stemjax.data.images import Frames  # noqa: E402
from stemjax.physics import contrast_library  # noqa: E402

PLANS = dict(au_graphene.PLANS)  # as they are outside these tests
TINY = Stem(adf=(46.8, 110.0), cells=(3, 2), gpts=(20, 34), patch=24)
UNDERFOCUS, OVERFOCUS = Aberrations(-30.0, 1e4), Aberrations(40.0, 0.0)


@pytest.fixture(scope="module")
def matrices():
    """Scattering matrices of bare graphene and of one adatom off the sites."""
    return graphene.scattering_matrix((), TINY), graphene.scattering_matrix([ADATOM], TINY)


ADATOM = (3.1, 2.2)  # (x, y), Å


# ---------------------------------------------------------------------------------------------------- structure
def test_bernal_graphene_with_gold_where_the_beam_enters():
    atoms = graphene.graphene((4, 3), [(1.0, 2.0)])
    carbon, gold = atoms[atoms.symbols == "C"], atoms[atoms.symbols == "Au"]
    assert len(carbon) == 4 * 4 * 12 and len(gold) == 1
    levels = np.unique(carbon.positions[:, 2].round(6))
    np.testing.assert_allclose(np.diff(levels), 3.35)
    layers = [carbon[np.isclose(carbon.positions[:, 2], level)] for level in levels]
    for layer in layers:
        distances = layer.get_all_distances(mic=True)
        bonds = distances[(distances > 0.1) & (distances < 1.6)]
        assert len(bonds) == 3 * len(layer)  # three neighbours each
        np.testing.assert_allclose(bonds, 2.46 / np.sqrt(3), rtol=1e-6)
    a, b, c, d = ({tuple(p) for p in layer.positions[:, :2].round(4) % atoms.cell.lengths()[:2]} for layer in layers)
    assert a == c and b == d and len(a & b) == len(a) / 2  # ABAB: half of the atoms have one below them
    starts = np.cumsum((0, *graphene.SLICES))
    slices = np.searchsorted(starts, atoms.positions[:, 2]) - 1
    assert slices[atoms.symbols == "Au"].tolist() == [0] and sorted(set(slices[atoms.symbols == "C"])) == [1, 2, 3, 4]
    np.testing.assert_allclose(starts[1] - starts[0], 2.5)


def test_wavelength_at_80_kv():
    assert Stem().wavelength == pytest.approx(0.041757, abs=1e-6)


def test_the_steps_resolve_the_probe():
    for stem in (Stem(), au_graphene.COARSE):
        finest = stem.wavelength / (4e-3 * stem.semiangle)
        assert max(np.divide(graphene.CELL, stem.pixels)) <= finest and stem.patch_step <= finest
        assert stem.patch * stem.patch_step <= min(stem.extent)


# ---------------------------------------------------------------------------------------------------- images
@pytest.mark.parametrize("aberrations", [UNDERFOCUS, OVERFOCUS])
def test_images_are_those_of_a_scanned_probe(matrices, aberrations):
    """abTEM's probe, multislice and diffraction patterns at a few positions, on detectors with the same edges."""
    beams = graphene._beams(TINY, TINY.adf[1])
    image = graphene.stem_image(matrices[1], TINY, aberrations)
    pixels = np.array([(0, 0), (10, 10), (7, 21), (11, 9), (15, 3)])  # (x, y)
    positions = pixels * np.divide(graphene.CELL, TINY.pixels)
    waves = graphene.probe(TINY, TINY.cells, aberrations)
    slices = graphene.potential(graphene.graphene(TINY.cells, [ADATOM]), TINY, TINY.cells)
    left = waves.build(scan=abtem.CustomScan(positions), lazy=False).multislice(slices)
    probe, *patterns = (
        np.abs(np.fft.fft2(np.asarray(wave), norm="forward")) ** 2
        for wave in (waves.build(lazy=False).array, *left.array)
    )
    in_vacuum, *expected = (
        graphene._detectors(beams, TINY) @ pattern[beams[:, 0], beams[:, 1]] / probe.sum()
        for pattern in (probe, *patterns)
    )
    expected = np.array(expected) * [1, graphene.ideal_bf(TINY) / in_vacuum[1]]
    np.testing.assert_allclose(image[pixels[:, 1], pixels[:, 0]], expected, rtol=0.01)


def test_in_vacuum_bf_is_the_ideal_disc_and_adf_is_dark():
    incident, scattered = (graphene._beams(TINY, angle) for angle in (TINY.semiangle, TINY.adf[1]))
    vacuum = (incident[:, None] == scattered).all(axis=-1).astype(np.complex64)
    image = graphene.stem_image(vacuum, TINY, UNDERFOCUS)
    np.testing.assert_allclose(image[..., 1], (18.7 / 32) ** 2, rtol=1e-5)
    assert np.abs(image[..., 0]).max() == 0


def test_the_background_repeats_and_gold_is_bright_in_adf_and_dark_in_underfocused_bf(matrices):
    bare, golden = (graphene.stem_image(matrix, TINY, UNDERFOCUS) for matrix in matrices)
    cell = graphene.unit_cell(bare, TINY)
    assert cell.shape == (14, 8, 2)
    np.testing.assert_allclose(np.tile(cell, (2, 3, 1)), bare, atol=1e-6)
    assert 0.002 < cell[..., 0].mean() < 0.0045 and 0.33 < cell[..., 1].mean() < 0.345
    y, x = (round(place * n) for place, n in zip(np.divide(ADATOM, TINY.extent)[::-1], bare.shape, strict=False))
    contrast = golden - bare
    assert np.argmax(contrast[..., 0]) == np.argmin(contrast[..., 1]) == y * bare.shape[1] + x
    assert contrast[y, x, 0] > 0.05 and contrast[y, x, 1] < -0.1
    over = [graphene.stem_image(matrix, TINY, OVERFOCUS) for matrix in matrices]
    assert (over[1] - over[0])[y, x, 1] > 0.02  # bright beyond focus


def test_a_patch_has_its_adatom_in_the_middle_and_nothing_at_its_edge():
    """A periodic Gaussian at a site that is no pixel, whose values are known."""
    stem, site, sigma = Stem(cells=(5, 3), patch=36), np.array([1.2, 2.9]), 0.6
    nx, ny = np.multiply(stem.cells, stem.pixels)
    x, y = (length * np.arange(n) / n for length, n in zip(stem.extent, (nx, ny), strict=True))
    dx, dy = ((d + e / 2) % e - e / 2 for d, e in zip((x - site[0], y - site[1]), stem.extent, strict=True))
    contrast = np.exp(-(dy[:, None] ** 2 + dx**2) / (2 * sigma**2))[..., None] * [1, -2]
    patch = graphene.contrast_patch(contrast, site, stem)
    offset = 0.3 * (np.arange(36) - 18)
    expected = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * sigma**2))
    np.testing.assert_allclose(patch, expected[..., None] * [1, -2], atol=1e-4)
    wide = graphene.contrast_patch(np.ones((ny, nx, 2)), site, stem)
    radius = np.hypot(offset[:, None], offset)
    assert np.abs(wide[radius >= 5.4]).max() < 1e-6
    np.testing.assert_allclose(wide[radius < 4.3], 1, atol=1e-6)


# ---------------------------------------------------------------------------------------------------- data set
@pytest.fixture(scope="module")
def tiny(in_one_process, tmp_path_factory):
    """A data set of the tiny model, and the plan to make it with."""
    plan = replace(PLANS["smoke"], stem=TINY, frames=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(au_graphene.PLANS, "smoke", plan)
        yield au_graphene.make_au_graphene(tmp_path_factory.mktemp("data") / "tiny", "smoke", progress=False)


def test_the_data_set_is_sound_and_complete(tiny):
    assert verify(tiny.folder) == [] and tiny.band is None
    assert tiny.array("background.npy").shape == (2, 14, 8, 2)
    assert tiny.array("contrast.npy").shape == (2, 9, 24, 24, 2)
    assert {(item["session"], item["split"]) for item in tiny.items} == {
        *[("a", split) for split in ("train", "validation", "test")],
        *[("b", split) for split in ("train", "test")],
    }
    assert len({item["rotation_deg"] for item in tiny.items}) == len(tiny.items)  # no two movies are alike
    assert all(5 <= item["adatoms"] <= 13 for item in tiny.items)
    assert len(tiny.array("frames.npy")) == sum(item["frames"] for item in tiny.items)


def test_the_frames_show_gold_where_the_truth_has_it(tiny):
    images = Frames(session=(), start=1).images(tiny, "test")
    clean = GrapheneImaging().clean_images(tiny, images)
    positions, present, drift = read_motion(tiny, images)
    for index in range(len(images)):
        places = positions[index][present[index]]
        pixels = np.rint(places / 0.46).astype(int)
        inside = ((pixels >= 0) & (pixels < 128)).all(axis=1)
        y, x = pixels[inside].T
        assert clean[index, y, x, 0].min() > 5 * np.median(clean[index, ..., 0])
        assert clean[index, y, x, 1].max() < 0.85 * np.median(clean[index, ..., 1])
        lattice = contrast_library.to_lattice(places, tiny.items[images.item[index]]["rotation_deg"], drift[index])
        thirds = 3 * np.asarray(contrast_library.primitive_coordinates(lattice, graphene.CELL[::-1]))
        offset = (thirds - np.rint(thirds)) / 3 @ graphene.PRIMITIVE  # jitter
        assert np.linalg.norm(offset, axis=1).mean() < 0.25  # of places at random: 0.31


def test_what_is_finished_is_not_simulated_again(tiny, monkeypatch):
    before = (tiny.folder / "manifest.json").read_bytes()
    made, simulate = [], graphene.scattering_matrix
    monkeypatch.setattr(graphene, "scattering_matrix", lambda *a: made.append(a) or simulate(*a))
    au_graphene.make_au_graphene(tiny.folder, "smoke", progress=False)
    assert made == []
    (tiny.folder / "manifest.json").unlink()
    damaged = tiny.folder / "part-au-3.npy"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    au_graphene.make_au_graphene(tiny.folder, "smoke", progress=False)
    assert len(made) == 1 and (tiny.folder / "manifest.json").read_bytes() == before


def test_another_size_is_refused(tiny):
    with pytest.raises(ValueError, match="holds data of another recipe .* choose another folder"):
        au_graphene.make_au_graphene(tiny.folder, "cpu")
    with pytest.raises(ValueError, match="sizes: smoke, cpu, gpu"):
        au_graphene.make_au_graphene(tiny.folder / "new", "huge")


def test_the_sizes_hold_what_they_promise():
    counts = {size: {name: sum(m) for name, m in plan.movies.items()} for size, plan in PLANS.items()}
    assert counts == {"smoke": {"a": 5, "b": 3}, "cpu": {"a": 24, "b": 20}, "gpu": {"a": 12, "b": 10}}
    assert sum(counts["smoke"].values()) * PLANS["smoke"].frames == 32
    assert PLANS["cpu"].stem == PLANS["gpu"].stem
