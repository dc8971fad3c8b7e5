"""HAADF of platinum on carbon: multislice against the library, the film, the clusters, and the data set."""

from dataclasses import replace

import numpy as np
import pytest

abtem = pytest.importorskip("abtem", reason="abTEM is not installed (extra `simulation`)")

from ase import Atoms  # noqa: E402

from simulation import clusters, haadf, haadf_pt  # noqa: E402
from simulation.clusters import Motion  # noqa: E402
from simulation.haadf import PT_COLUMN, Haadf  # noqa: E402
from simulation.lattice import make_lattice  # noqa: E402
from stemjax.data.datasets import verify  # noqa: E402
from stemjax.data.haadf_pt import HaadfImaging  # noqa: E402
from stemjax.data.images import Frames  # noqa: E402
from stemjax.data.lattice import LatticeImaging  # noqa: E402

PLANS = dict(haadf_pt.PLANS)  # as they are outside these tests
TINY = Haadf(detector=(60.0, 95.0), sampling=0.068, columns=3, radii=20, phonons=2)


# ---------------------------------------------------------------------------------------------------- physics
def test_the_wave_function_reaches_the_detector():
    for microscope in (Haadf(), haadf_pt.COARSE, TINY):
        assert 1e3 * microscope.wavelength / (3 * microscope.sampling) > microscope.detector[1]


def test_columns_are_brighter_than_the_sum_of_their_atoms_and_platinum_than_carbon():
    profiles = haadf.column_profiles(TINY)
    assert profiles.shape == (3, 20) and (profiles[:, 0] == profiles.max(axis=1)).all()
    radius = TINY.step * np.arange(20)
    totals = profiles @ radius / (profiles[0] @ radius)
    assert 1.4 < totals[1] < 2.6 and totals[1] < totals[2]
    platinum = 2 * np.pi * TINY.step * (profiles[0] @ radius)
    ratio = platinum / haadf.carbon_cross_section(TINY)
    assert (78 / 6) ** 1.5 < ratio < (78 / 6) ** 2  # Z^1.5 to Z²: Rutherford scattering, screened


def test_carbon_atoms_keep_their_distance_across_the_box():
    box = haadf.random_carbon(np.random.default_rng(0), 10.0, 30.0)
    assert len(box) == round(haadf.CARBON_DENSITY * 3000) and (box >= 0).all() and (box < (10, 10, 30)).all()
    distance = Atoms(["C"] * len(box), box, cell=(10, 10, 30), pbc=True).get_all_distances(mic=True)
    assert distance[distance > 0].min() >= haadf.CARBON_DISTANCE


def test_the_structure_factor_of_a_gas_is_one():
    gas = np.random.default_rng(0).uniform(size=(3000, 3)) * 20
    factor = haadf.structure_factor(gas, 20.0, 0.2 * np.arange(8))
    np.testing.assert_allclose(factor[1:], 1, atol=0.2)


def test_the_probe_passes_low_frequencies_and_out_of_focus_fewer():
    sharp, blurred = haadf.probe_transfer(TINY, np.array([0.0, 200.0]), 0.1 * np.arange(30))
    assert sharp[1] > 0.9 and abs(sharp[27]) < 0.01  # beyond 2 α / λ = 2.54 1/Å there is nothing
    k = 0.1 * np.arange(5, 20) / 2.54  # of a disc with itself: the transfer without aberrations
    expected = 2 / np.pi * (np.arccos(k) - k * np.sqrt(1 - k**2))
    np.testing.assert_allclose(sharp[5:20], expected, atol=0.02)
    assert abs(blurred[5]) < 0.2 < sharp[5]


def test_a_film_scatters_in_proportion_to_its_thickness_and_as_multislice_says():
    (thin, grains), (thick, more) = (haadf.film_spectrum(TINY, thickness) for thickness in (40.0, 80.0))
    assert thick == pytest.approx(2 * thin) and (more[3:8] < 2 * grains[3:8]).all() and (more >= grains).all()
    generator = np.random.default_rng(0)
    box = haadf.random_carbon(generator, 8.0, 40.0)
    atoms = Atoms(["C"] * len(box), box, cell=(8, 8, 40), pbc=True)
    places = np.stack(np.meshgrid(*[np.arange(5) * 1.6] * 2), axis=-1).reshape(-1, 2)
    direct = haadf.scattered(atoms, TINY, (4.0,) * 10, places)
    assert direct.mean() == pytest.approx(thin, rel=0.25)


# ---------------------------------------------------------------------------------------------------- clusters
def test_a_fragment_has_all_its_atoms_at_their_distances():
    columns, counts = clusters.fcc_fragment(np.random.default_rng(0), 100, clusters.ZONE_AXIS)
    assert counts.sum() == 100 and counts.max() > 3
    distance = np.linalg.norm(columns[:, None] - columns, axis=-1)
    assert distance[distance > 0].min() == pytest.approx(clusters.PT_LATTICE * np.sqrt(3 / 8), rel=1e-6)  # of <110>
    single, ones = clusters.fcc_fragment(np.random.default_rng(0), 2, np.eye(3))
    assert ones.sum() == 2 and np.linalg.norm(np.ptp(single, axis=0)) <= PT_COLUMN + 1e-6


def test_atoms_move_and_are_taken_up_but_none_is_lost():
    motion = Motion(hop=1.0, length=2.0, clusters=(2.0, 2.5), atoms=(8.0, 9.0))
    frames, drift = clusters.simulate_movie(np.random.default_rng(0), 12, 40.0, 3.0, motion)
    assert {seen.counts.sum() for seen in frames} == {frames[0].counts.sum()} and len(drift) == len(frames) == 12
    singles = [seen.single.sum() for seen in frames]
    assert singles[-1] < singles[0] and singles == sorted(singles, reverse=True)
    assert frames[-1].sizes.sum() - frames[0].sizes.sum() == singles[0] - singles[-1]
    for seen in frames:
        alone = seen.columns[seen.single]
        distance = np.linalg.norm(alone[:, None] - seen.columns, axis=-1)
        assert np.sort(distance, axis=1)[:, 1].min() > motion.reach - 1.5  # jitter, wobble and turn have their part


# ---------------------------------------------------------------------------------------------------- data sets
@pytest.fixture(scope="module")
def tiny(in_one_process, tmp_path_factory):
    """A data set of the tiny microscope."""
    plan = replace(PLANS["smoke"], haadf=TINY, frames=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(haadf_pt.PLANS, "smoke", plan)
        yield haadf_pt.make_haadf_pt(tmp_path_factory.mktemp("data") / "tiny", "smoke", progress=False)


def test_the_data_set_is_sound_and_complete(tiny):
    assert verify(tiny.folder) == [] and tiny.band is None
    found = [(item["session"], item["split"]) for item in tiny.items]
    assert sorted(found) == sorted(
        [("film-20nm", split) for split in ("train", "train", "validation", "test")] + [("film-50nm", "test")]
    )
    whole, truth = tiny.array("clusters.npy"), tiny.truth
    assert all(item["single_atoms"] >= 1 and item["clusters"] >= 1 for item in tiny.items)
    assert set(truth["surface"].tolist()) == {True, False} and (truth["count"][truth["surface"]] == 1).all()
    assert whole["count"].min() >= 2 and {(row["item"], row["frame"]) for row in truth} == {
        (item, frame) for item in range(5) for frame in range(2)
    }


def test_the_frames_show_platinum_where_the_truth_has_it(tiny):
    images = Frames(session=("film-20nm",)).images(tiny, "test")
    clean = HaadfImaging().clean_images(tiny, images)[..., 0]
    for index, frame in enumerate(images.frame):
        rows = tiny.truth[(tiny.truth["item"] == images.item[index]) & (tiny.truth["frame"] == frame)]
        y, x = (np.rint(rows[name] / 0.3).astype(int) for name in ("y_angstrom", "x_angstrom"))
        inside = (y >= 0) & (y < 64) & (x >= 0) & (x < 64)
        assert clean[index, y[inside], x[inside]].min() > 2 * tiny.manifest["library"]["film_mean"][0]


def test_what_is_finished_is_not_simulated_again(tiny, monkeypatch):
    before = (tiny.folder / "manifest.json").read_bytes()
    monkeypatch.setattr(haadf, "scattered", lambda *_: pytest.fail("simulated again"))
    haadf_pt.make_haadf_pt(tiny.folder, "smoke", progress=False)
    assert (tiny.folder / "manifest.json").read_bytes() == before


def test_another_size_is_refused(tiny):
    with pytest.raises(ValueError, match="holds data of another recipe .* choose another folder"):
        haadf_pt.make_haadf_pt(tiny.folder, "cpu")
    with pytest.raises(ValueError, match="sizes: smoke, cpu, gpu, gpu-1024"):
        haadf_pt.make_haadf_pt(tiny.folder / "new", "huge")


def test_the_lattice_data_set_renders(tmp_path):
    data = make_lattice(tmp_path / "lattice", "smoke")
    assert verify(data.folder) == [] and len(data.items) == 5
    images = Frames(session=("lattice",)).images(data, "test")
    arrays = LatticeImaging().device_arrays(data, images)
    assert arrays["noisy"].shape == arrays["clean"].shape == (8, 64, 64, 1)
    assert arrays["noisy"].mean() == pytest.approx(float(arrays["clean"].mean()), rel=0.05)
    assert np.abs(arrays["clean"][0] - arrays["clean"][4]).max() > 0.2  # another crystal
