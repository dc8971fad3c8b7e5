"""The SBD paper's movie and Figure 5.8: tables by hand, what networks learn from, profiles, the time average."""

import re
from dataclasses import dataclass, field, replace
from functools import cache

import jax
import numpy as np
import pytest

import experiments
from experiments.movie_methods import Trained
from experiments.sbd import EARLY, LAST, SBD, last_weights, surface_profiles
from experiments.sbd.movie_networks import AVERAGE, SPACE_TIME
from experiments.sbd.surface_profiles import SurfaceRow, surface_row
from stemjax.apply.inference import denoise_image
from stemjax.data import datasets
from stemjax.data.images import Images, OneMovie
from stemjax.data.micrographs import FewImages, RecordedStills
from stemjax.denoisers.time_average import TimeAverage
from stemjax.records.scores import means
from stemjax.training.checkpoint import Checkpointer, digest
from stemjax.training.train import Outcome, Progress, initial_state
from tests.toys.micrographs import make_toy
from tests.toys.records import a_record
from tests.toys.runs import small_run

MOVIES, FRAMES = ("m-1", "m-2"), 4


# --------------------------------------------------------------------------------------------------- tables
@cache
def template() -> dict:
    return a_record([{"image": "i", "unit": "u", "psnr_db": 0.0, "ssim": 0.0, "nrmse": 0.0}], tuning=None)


def table_of(name: str, parts: list[tuple[str, list[dict], dict]]):
    """The table of records with these methods, rows of scores and facts."""
    found, scores = [], {}
    for number, (method, rows, facts) in enumerate(parts):
        record = template() | {"id": f"{number:064x}", "method": method, "scores": means(rows)} | facts
        found.append(record)
        scores[record["id"]] = rows
    return experiments.table_of(name)(found, scores)


def frames_of(psnr_db: float, umse: float | None = None, **more: float) -> list[dict]:
    """Two movies of four frames: 2 dB more in the second, and a dB less in the last frame of each."""
    return [
        {
            "image": f"{movie}-frame{frame:03d}",
            "unit": movie,
            "psnr_db": psnr_db + 2 * (movie == "m-2") - (frame == FRAMES - 1),
            "ssim": 0.5,
            "nrmse": 0.1,
            "profile_correlation": 0.9,
            "mse": 0.1,
            "peak": 10.0,
        }
        | ({} if umse is None else {"umse": umse})
        | more
        for movie in MOVIES
        for frame in range(FRAMES)
    ]


def movie_table(early: float = 22.0, last: float = 20.0):
    learnt = {"trained_on": "frames 1 to 3 of m-1, 1 held out", "movie": "m-1", "learnt_frames": 3}
    curve = [{"step": step, "crops": step, "validation_loss": loss} for step, loss in ((100, 0.4), (200, 0.5))]
    network = {"seed": 0, "parameters": 1234, "conditions": learnt, "learning_curve": curve}
    nothing = {"conditions": {"trained_on": "nothing"}}
    wide = {name: {"values": [1.0, 9.0], "chosen": 9.0, "at_an_end": True} for name in ("sigma_time", "sigma")}
    sbd = {"trained_on": "9 simulated images, also of this structure", "knows_structure": 1}
    parts = [
        ("Noisy", frames_of(1.0, 0.1), nothing),
        ("Constant", frames_of(15.0, 0.1), nothing),
        (SPACE_TIME, frames_of(30.0), {"tuning": wide} | nothing),
        (AVERAGE, frames_of(16.0), nothing),
        (SBD, frames_of(25.0, 0.01, average_psnr_db=12.0), {"seed": 0, "conditions": sbd}),
        (EARLY, frames_of(early, -0.01, average_psnr_db=13.0), network),
        (LAST, frames_of(last, 0.1), network),
    ]
    return table_of("sbd_movie", parts)


def test_every_movie_stands_by_itself():
    table = movie_table()
    figures = {(f["method"], f["movie"]): f for f in table.data}
    assert figures[SBD, "m-1"]["psnr_db"] == pytest.approx(24.75)
    assert figures[SBD, "m-2"]["psnr_db"] == pytest.approx(26.75)
    assert figures[SBD, "m-1"]["upsnr_db"] == pytest.approx(40.0)
    assert figures[SBD, "m-1"]["upsnr_from_truth_db"] == pytest.approx(30.0)
    assert figures[EARLY, "m-1"]["upsnr_db"] == "" and figures[AVERAGE, "m-1"]["upsnr_db"] == ""
    first = {row[0]: row for row in table.grids[0].rows}
    assert table.grids[0].columns[0] == "Movie m-1"
    assert first[SBD][4] == "12.00" and first[AVERAGE][4] == "itself" and first[AVERAGE][5] == "none"
    assert first[EARLY][1] == "frames 1 to 3 of m-1, 1 held out"
    each = {row[0]: row for row in table.grids[1].rows}
    assert each[SBD][1:3] == ("24.75", "26.75")


def test_the_movie_has_a_fitted_column_where_it_is_recorded():
    parts = [("Noisy", frames_of(1.0, 0.1, fitted_psnr_db=2.0), {"conditions": {"trained_on": "nothing"}})]
    wide = {name: {"values": [1.0, 9.0], "chosen": 9.0} for name in ("sigma_time", "sigma")}
    learnt = {"trained_on": "frames", "movie": "m-1", "learnt_frames": 3}
    for name, facts in {
        "Constant": {"conditions": {"trained_on": "nothing"}},
        SPACE_TIME: {"conditions": {"trained_on": "nothing"}, "tuning": wide},
        AVERAGE: {"conditions": {"trained_on": "nothing"}},
        "WCVD": {"conditions": learnt, "seed": 0},
    }.items():
        more = {"fitted_psnr_db": 21.5} if name == "WCVD" else {}
        parts.append((name, frames_of(15.0, 0.1, **more), facts))
    table = table_of("sbd_movie", parts)
    cells = {row[0]: row[3] for row in table.grids[0].rows}
    assert table.grids[0].columns[3] == "PSNR, fitted [dB]" and table.grids[0].columns[4] == "SSIM"
    assert cells["Noisy"] == "2.00" and cells["WCVD"] == "21.50" and cells["Constant"] == ""
    assert "PSNR, fitted [dB]" not in movie_table().grids[0].columns


def test_frames_learnt_from_are_told_from_others():
    columns = movie_table().grids[2]
    assert columns.rows[0] == (EARLY, "22.00", "21.00", "23.75") and len(columns.rows) == 2


def test_the_notes_say_who_wins_who_fails_and_who_knew():
    text = "\n".join(movie_table(early=22.0, last=12.0).notes)
    assert f"Best on m-1 is {SPACE_TIME} (29.75 dB)" in text and "9 frames and 9 px" in text
    assert f"and {SBD}, the best of those that look at one frame alone, 24.75 dB" in text
    assert f"Not above Constant on m-1, so they fail the gate: {LAST}." in text
    assert f"is among the clean images that {SBD} learnt from" in text
    assert re.search(r"21.75 dB, the last .* 11.75 dB \(step 100 of 200\)", text)
    assert "fail the gate" not in "\n".join(movie_table().notes)


def test_blind_spot_networks_are_compared_with_the_supervised_one_structure_by_structure():
    def images(level: float) -> list[dict]:
        spread = np.linspace(-1, 1, 12)
        return [
            {"image": f"i{n}", "unit": f"u{n}", "psnr_db": level + d, "ssim": 0.5, "nrmse": 0.1}
            for n, d in enumerate(spread)
        ]

    network = {"seed": 0, "parameters": 99, "learning_curve": [{"crops": 2400}]}
    parts = [("Raw", images(9.0), {}), ("Constant", images(22.0), {})]
    for count, level in ((1, 20.0), (80, 28.0)):
        for method, less in ((EARLY, 0.0), (LAST, 1.0)):
            parts.append((method, images(level - less), network | {"conditions": {"training_images": count}}))
    parts.append((SBD, images(31.0), network | {"conditions": {"training_images": 1440}}))
    table = table_of("sbd_figure_5_8", parts)
    rows = {row[0]: row for row in table.grids[0].rows}
    assert rows[f"{EARLY}, 80 images"][1] == "80" and rows[f"{EARLY}, 80 images"][3] == "-3.00 [-3.00, -3.00]"
    assert rows[SBD][6:] == ("37.24", "-6.24") and rows[SBD][3] == ""
    assert [f["training_images"] for f in table.data if f["method"] == EARLY] == [1, 80]
    text = "\n".join(table.notes)
    assert f"Not above Constant, so they fail the gate: {EARLY}, 1 image; {LAST}, 1 image." in text
    assert "saw 2,400 crops" in text
    assert table.plots["psnr"]().startswith(b"\x89PNG")


# --------------------------------------------------------------------------------------------------- learnt from
@dataclass(frozen=True)
class Movies:
    """As much of a data set as the selection and the profile need."""

    truth: np.ndarray
    items: tuple = tuple({"id": movie, "unit": movie, "frames": FRAMES} for movie in MOVIES)
    folder: str = "toy"
    manifest: dict = field(default_factory=lambda: {"frame": {"sampling_angstrom": 0.1}})


def test_the_last_frames_of_one_movie_are_held_out():
    data = Movies(np.zeros(0, datasets.TRUTH))
    chosen = OneMovie("m-2", held_out=1)
    train_on, validation = (chosen.images(data, split) for split in ("train", "validation"))
    assert train_on.frame.tolist() == [0, 1, 2] and validation.frame.tolist() == [3]
    assert set(train_on.item.tolist()) == {1} and set(validation.unit.tolist()) == {"m-2"}
    alone = OneMovie("m-2", learnt=1)
    assert [alone.images(data, split).frame.tolist() for split in ("train", "validation")] == [[0], [0]]


@pytest.mark.parametrize(
    ("chosen", "split", "message"),
    [
        (OneMovie("m-3"), "train", "no movie 'm-3'"),
        (OneMovie("m-1", held_out=4), "train", "cannot be held out"),
        (OneMovie("m-1"), "test", "no split 'test'"),
    ],
)
def test_what_one_movie_cannot_give_is_refused(chosen, split, message):
    with pytest.raises(ValueError, match=message):
        chosen.images(Movies(np.zeros(0, datasets.TRUTH)), split)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return make_toy(tmp_path_factory.mktemp("toy"))


def test_a_still_has_the_same_noise_in_any_list(toy):
    imaging = RecordedStills(sampling=0.4, counts=2.0)
    many = FewImages(total=3).images(toy, "train")
    few = many.part([2, 1])
    all_of_them, two = (np.asarray(imaging.device_arrays(toy, images)["noisy"]) for images in (many, few))
    assert all_of_them.shape[:2] == (len(many), 1) and all_of_them.ndim == 5
    np.testing.assert_array_equal(two, all_of_them[[2, 1]])
    clean = imaging.clean_images(toy, few)[1]
    residual = all_of_them[:, 0] - imaging.clean_images(toy, many)
    assert np.std(residual) == pytest.approx(np.sqrt(2.0), rel=0.1) and np.abs(two[1, 0] - clean).max() > 0.5
    assert np.unique(all_of_them.reshape(len(many), -1), axis=0).shape[0] == len(many)


def test_more_images_to_learn_from_leave_the_validation_as_it_was(toy):
    lists = [FewImages(total=count) for count in (1, 5)]
    assert [len(chosen.images(toy, "train")) for chosen in lists] == [1, 5]
    one, five = (replace(chosen, per_unit=3).images(toy, "validation") for chosen in lists)
    np.testing.assert_array_equal(one.item, five.item)
    assert len(one) == 2  # one of each structure


def test_the_last_weights_are_those_of_the_last_step(toy, tmp_path):
    run = small_run(toy)
    state = initial_state(run)
    best = jax.tree.map(np.zeros_like, state["variables"])
    for step in (4, 8):
        state["variables"] = jax.tree.map(lambda leaf: leaf + 1, state["variables"])
        Checkpointer(tmp_path / "checkpoints").save(step, state, {})
    network = last_weights(Trained(run, best, {"step": 4, "log": []}, Outcome(tmp_path, 8, Progress())))
    assert network.info["step"] == 8 and network.info["digest"] == digest(network.variables)
    assert digest(network.variables) == digest(jax.device_get(state["variables"])) and network.info["log"] == []


# --------------------------------------------------------------------------------------------------- profiles
def test_the_profile_peaks_at_the_topmost_columns(tmp_path):
    # (x, y): a column too close to the edge, a single one, a row of three, and one further down.
    places = [(0.3, 1.5), (3.0, 1.8), (2.0, 3.0), (4.4, 3.1), (6.8, 3.0), (3.2, 5.3)]
    truth = np.array([(0, 2, x, y, b"Pt", 3, True) for x, y in places], datasets.TRUTH)
    data, shape = Movies(truth), (1, 90, 90, 1)
    chosen = Images(np.array([0]), np.array(["m-1"]), frame=np.array([2]))
    images = ImageSetLike(np.zeros(shape), chosen, ["m-1-frame002"])
    row = surface_row(data, images, 0)
    np.testing.assert_allclose(row.columns[:, 1], [2.0, 4.4, 6.8], atol=1e-6)
    y, x = np.mgrid[:90, :90] * 0.1
    clean = 1 + sum(np.exp(-((y - v) ** 2 + (x - u) ** 2) / 0.3) for u, v in places[2:5])
    where, values = row.along(clean)
    peaks = where[1:-1][(values[1:-1] > values[:-2]) & (values[1:-1] > values[2:])]
    np.testing.assert_allclose(peaks, [2.0, 4.4, 6.8], atol=0.06)
    assert row.correlation(clean, 5 - clean) == pytest.approx(-1.0)
    assert row.correlation(clean, 3 * clean + 1) == pytest.approx(1.0) and row.correlation(clean, 0 * clean) == 0.0
    x0, y0, x1, y1 = row.box()
    assert 0 <= x0 < 20 < 68 < x1 <= 90 and 0 <= y0 < 30 < y1 <= 90
    surface_profiles.draw(row, clean, {"one": clean, "other": 0 * clean}, tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_a_frame_without_a_row_of_columns_is_refused():
    truth = np.array([(0, 0, 3.0, y, b"Pt", 3, True) for y in (2.0, 5.0)], datasets.TRUTH)
    chosen = Images(np.array([0]), np.array(["m-1"]), frame=np.array([0]))
    with pytest.raises(ValueError, match="no row of two Pt columns"):
        surface_row(Movies(truth), ImageSetLike(np.zeros((1, 90, 90, 1)), chosen, ["m-1-frame000"]), 0)


@dataclass(frozen=True)
class ImageSetLike:
    clean: np.ndarray
    images: Images
    name: list


def test_a_row_at_the_edge_is_cut_there():
    row = SurfaceRow(np.array([(0.5, 0.4), (0.5, 1.6)]), 0.1, 20)
    where, _ = row.along(np.ones((20, 20)))
    assert where[0] == 0.0 and where[-1] <= 1.9 + 1e-9


# --------------------------------------------------------------------------------------------------- time average
def test_the_time_average_is_that_of_the_whole_movie():
    movie = np.random.default_rng(0).poisson(2.0, (7, 8, 9, 1)).astype(np.float32)
    found = denoise_image(TimeAverage(), {}, movie)
    np.testing.assert_allclose(found, np.broadcast_to(movie.mean(axis=0), movie.shape), rtol=1e-6)
