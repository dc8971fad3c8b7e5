"""HRTEM movies: models that lose columns, smooth drift, a sound data set whose truth is where the images have it."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("abtem", reason="abTEM is not installed (extra `simulation`)")

from scipy.spatial import cKDTree  # noqa: E402

from simulation import hrtem_movies, movies  # noqa: E402
from simulation.microscope import Multislice  # noqa: E402
from simulation.movies import Motion  # noqa: E402
from simulation.particles import CARBON_DISTANCE, GOLD_LATTICE, GoldOnCarbon, OnCeria, amorphous_carbon  # noqa: E402
from simulation.structures import COBALT_PARTICLES, Structure  # noqa: E402
from stemjax.data.datasets import open_data_set, verify  # noqa: E402
from stemjax.data.hrtem_movies import HrtemImaging  # noqa: E402
from stemjax.data.images import Frames  # noqa: E402

GOLD = GoldOnCarbon(16.0, turn=20.0, seed=3)
TINY = Multislice(pixels=144, slice_thickness=2.0)


# ---------------------------------------------------------------------------------------------------- models
def test_gold_is_fcc_behind_carbon():
    atoms = GOLD.atoms(27.0)
    gold, carbon = (atoms.positions[atoms.symbols == symbol] for symbol in ("Au", "C"))
    nearest = cKDTree(gold).query(gold, k=2)[0][:, 1]
    np.testing.assert_allclose(nearest, GOLD_LATTICE / np.sqrt(2), rtol=1e-6)
    assert carbon[:, 2].max() <= GOLD.film < gold[:, 2].min() < gold[:, 2].max() < GOLD.depth
    assert sum(len(column.heights) for column in GOLD.columns(27.0)) == len(gold)
    across = max(np.linalg.norm(a - b) for a in gold for b in gold[::7])
    assert 15 < across < 24
    with pytest.raises(ValueError, match="too small for 16 Å of gold; use 22 or more"):
        GOLD.columns(20.0)


def test_gold_of_the_movies_is_5_nm_across():
    columns = GoldOnCarbon(44.0).columns(60.0)
    x, y = np.array([(column.x, column.y) for column in columns]).T
    assert 45 < np.ptp(y) < 50 < np.ptp(x) < 55


def test_carbon_is_amorphous_and_of_its_density():
    carbon = amorphous_carbon(20.0, 10.0, seed=0)
    assert len(carbon) * 12.011 / 0.602214 / (20 * 20 * 10) == pytest.approx(2.0, rel=0.01)
    tiled = np.concatenate([carbon + [20 * i, 20 * j, 0] for i in range(2) for j in range(2)])  # the cell repeats
    assert cKDTree(tiled).query(tiled, k=2)[0][:, 1].min() >= CARBON_DISTANCE
    assert not np.allclose(carbon, amorphous_carbon(20.0, 10.0, seed=1))


@pytest.mark.parametrize("name", COBALT_PARTICLES)
def test_cobalt_has_its_own_lattice(name):
    model = OnCeria(Structure(name, "D0", "faceted", 40))
    atoms = model.atoms(60.0)
    cobalt = atoms.positions[atoms.symbols == "Co"]
    np.testing.assert_allclose(cKDTree(cobalt).query(cobalt, k=2)[0][:, 1], 3.544 / np.sqrt(2), rtol=1e-3)
    assert cKDTree(atoms.positions).query(atoms.positions, k=2)[0][:, 1].min() > 1.5


# ---------------------------------------------------------------------------------------------------- what happens
def test_drift_is_a_smooth_walk_of_the_speed_that_it_says():
    drift = movies.drift_path(np.random.default_rng(0), 20_000, speed=0.5, memory=0.8)
    assert drift[0].tolist() == [0, 0]
    steps = np.diff(drift, axis=0)
    assert np.sqrt((steps**2).sum(axis=1).mean()) == pytest.approx(0.5, rel=0.05)
    assert np.corrcoef(steps[1:, 0], steps[:-1, 0])[0, 1] == pytest.approx(0.8, abs=0.03)


def test_states_follow_one_another():
    for seed in range(20):
        path = movies.state_path(np.random.default_rng(seed), 12, 3, 0.3)
        assert path[0] == 0 and set(path) <= {0, 1, 2} and path.any() and np.abs(np.diff(path)).max() == 1
    assert not movies.state_path(np.random.default_rng(0), 12, 1, 0.3).any()


@pytest.mark.parametrize("model", [GOLD, OnCeria(Structure("PtNp2", "D0", "faceted", 40))])
def test_states_lose_one_loose_column_each(model):
    cell = 50.0
    box = (10, 10), (24, 40)
    states = movies.erode(model, 4, (3, 0), cell, box, np.random.default_rng(0))
    sites = [set(movies.places(state, (3, 0), cell)) for state in states]
    for before, after in zip(sites, sites[1:], strict=False):
        assert after < before and len(before - after) == 1
        (lost,) = before - after
        place = movies.places(model, (3, 0), cell)[lost]
        assert (np.array(box[0]) < place).all() and (place < np.array(box[1])).all()
    with pytest.raises(ValueError, match="no surface"):
        movies.erode(model, 2, (3, 0), cell, ((0, 0), (1, 1)), np.random.default_rng(0))


# ---------------------------------------------------------------------------------------------------- plans
@pytest.mark.parametrize("kind", hrtem_movies.KINDS)
def test_the_sizes_hold_what_they_promise(kind):
    sampling = {"pt": 0.067, "au": 0.169, "co": 0.209}.get(kind)
    for size, pixels, published in (("cpu", 256, 0.0979), ("gpu", 1024 if kind == "pt" else 512, 0.0624)):
        work = hrtem_movies.plan(kind, size)
        assert (work.pixels, work.frames) == (pixels, 40 if kind == "sbd" else 20)
        assert work.sampling == pytest.approx(sampling or published, abs=1e-9 if sampling else 1e-4)
        assert 2 * np.abs(work.band.indices).max() < work.multislice.pixels
        scenes = replace(work, movies=(0, 0, 1)).scenes if size == "gpu" else work.scenes
        for _, movie in scenes.values():  # of the sample, the frames show what lies 2 Å inside the cell or more
            first, spare = np.array(movie.window), 2 / work.sampling
            drift = movie.drift / work.sampling
            assert (first - drift.max(axis=0) > spare).all()
            assert (first + pixels - drift.min(axis=0) < work.cell_pixels - spare).all()
            assert movie.path.any() or kind == "sbd"
        models, defoci = ({repr(get(movie)) for _, movie in scenes.values()} for get in (model_of, defocus_of))
        assert len(defoci) == len(scenes) and len(models) == (1 if kind == "sbd" else len(scenes))
    with pytest.raises(ValueError, match="no movies 'pt' of size 'huge'"):
        hrtem_movies.plan("pt", "huge")


def model_of(movie):
    return movie.states[0]


def defocus_of(movie):
    return movie.defocus


# ---------------------------------------------------------------------------------------------------- data set
@pytest.fixture(scope="module")
def tiny(in_one_process, tmp_path_factory):
    """Pt movies of a coarse simulation that drift fast."""
    plan = hrtem_movies.plan("pt", "smoke")
    plan = replace(plan, cell=40.2, cell_pixels=300, multislice=TINY, motion=Motion(speed=3.0), movies=(1, 0, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hrtem_movies, "plan", lambda kind, size: plan)
        folder = tmp_path_factory.mktemp("data") / "tiny"
        yield hrtem_movies.make_hrtem_movies(folder, "pt", "smoke", workers=1, progress=False)


def test_the_data_set_is_sound_and_complete(tiny):
    assert verify(tiny.folder) == [] and tiny.name == "movies-pt"
    assert [item["split"] for item in tiny.items] == ["train", "test"] and tiny.items[1]["particle"] == "PtNp2"
    assert tiny.manifest["frame"] == {"pixels": 64, "sampling_angstrom": 0.134, "channels": ["image"]}
    frames = tiny.array("frames.npy")
    assert len(frames) == 12 and set(frames["wave"]) == {0, 1}
    for item in tiny.items:
        assert len(tiny.array(item["shard"])) == item["states"] == 2


def test_the_frames_show_columns_where_the_truth_has_them(tiny):
    """Under drift; and where one has left, there is none."""
    for split in ("train", "test"):
        images = Frames(session=()).images(tiny, split)
        clean = HrtemImaging(counts=1.0).clean_images(tiny, images)[..., 0]
        for image, item, frame in zip(clean, images.item, images.frame, strict=True):
            rows = tiny.truth[(tiny.truth["item"] == item) & (tiny.truth["frame"] == frame)]
            rows = rows[rows["species"] == b"Pt"]
            pixel = np.rint(np.stack([rows["y_angstrom"], rows["x_angstrom"]]) / 0.134).astype(int)
            assert len(rows) > 8 and image[*pixel].mean() > image.mean() + 0.8 * image.std()
    frames = tiny.array("frames.npy")
    for item in range(2):
        mine = frames["item"] == item
        with_all, without = (np.flatnonzero(mine & (frames["wave"] == state))[0] for state in (0, 1))
        kept = [places_of(tiny, frames[row]) for row in (with_all, without)]
        assert kept[1] < kept[0] and len(kept[0] - kept[1]) == 1


def places_of(data, row):
    """Pt columns of a frame, less the drift, on a grid of 0.1 Å, where both frames show them."""
    rows = data.truth[(data.truth["item"] == row["item"]) & (data.truth["frame"] == row["frame"])]
    rows = rows[rows["species"] == b"Pt"]
    x, y = rows["x_angstrom"] - row["drift_x_angstrom"], rows["y_angstrom"] - row["drift_y_angstrom"]
    inside = (x > 1.6) & (x < 7.0) & (y > 1.6) & (y < 7.0)
    return {(round(float(a), 1), round(float(b), 1)) for a, b in zip(x[inside], y[inside], strict=True)}


def test_what_is_finished_is_not_simulated_again(tiny, monkeypatch):
    before = (tiny.folder / "manifest.json").read_bytes()
    (tiny.folder / "manifest.json").unlink()
    monkeypatch.setattr(hrtem_movies.Plan, "make_part", None)
    hrtem_movies.make_hrtem_movies(tiny.folder, "pt", "smoke", progress=False)
    assert (tiny.folder / "manifest.json").read_bytes() == before
    assert open_data_set(tiny.folder).recipe_hash == tiny.recipe_hash
