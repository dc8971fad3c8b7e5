"""The WCVD paper's movies: line scans, the region of the particle, what Figure 2 records, all on toy movies."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import experiments
from experiments import wcvd
from experiments.movie_methods import BLANK, NOISY, Method
from experiments.sbd import surface_profiles
from experiments.wcvd import line_scans
from experiments.workspace import Workspace
from stemjax import records
from stemjax.apply.evaluate import ImageSet
from stemjax.data import datasets
from stemjax.data.hrtem_movies import HrtemImaging
from stemjax.data.images import Images
from stemjax.denoisers.constant import Constant
from stemjax.denoisers.space_time_gaussian import SpaceTimeGaussian
from stemjax.figures import groups as figures_groups

SIDE, SAMPLING, STEP, FRAMES, MOVIES = 96, 0.2, 2.4, 5, 2  # px, Å/px, Å


def make_movies(species: bytes = b"Pt", columns: int = 6) -> tuple[SimpleNamespace, ImageSet]:
    """Two movies of a square lattice of columns in the left part of a frame, which drifts by a pixel per frame."""
    place, clean, truth = SAMPLING * np.arange(SIDE), [], []
    for movie in range(MOVIES):
        for frame in range(FRAMES):
            image = np.full((SIDE, SIDE), 2.0)
            for i in range(columns):
                for j in range(4):
                    y, x = 3 + STEP * i + SAMPLING * frame, 3 + STEP * j
                    image += 3 * np.exp(-((place[:, None] - y) ** 2 + (place - x) ** 2) / 0.5)
                    truth.append((movie, frame, x, y, species, 1, True))
            truth.append((movie, frame, 17.0, 17.0, b"C", 1, False))  # of the support
            clean.append(image)
    clean = np.array(clean, np.float32)[..., None]
    noisy = np.random.default_rng(0).poisson(clean).astype(np.float32)
    item, frame = np.repeat(np.arange(MOVIES), FRAMES), np.tile(np.arange(FRAMES), MOVIES)
    unit = np.array([f"pt-{movie:02d}" for movie in item])
    names = [f"{u}-frame{f:03d}" for u, f in zip(unit, frame, strict=True)]
    data = SimpleNamespace(
        manifest={"frame": {"sampling_angstrom": SAMPLING}, "name": "toy", "recipe_hash": "0" * 16},
        truth=np.array(truth, datasets.TRUTH),
        name="toy",
        recipe_hash="0" * 16,
    )
    return data, ImageSet(clean, noisy, Images(item, unit, frame=frame), names, HrtemImaging(counts=2.0))


def test_a_line_follows_a_row_of_columns():
    data, test = make_movies()
    line = line_scans.find_line(data, test, b"Pt", 2)
    assert line["length"] == pytest.approx(4 * STEP, rel=1e-4) and line["width"] == 5  # half the distance of columns
    assert line_scans.find_line(data, test, b"Pt", 2, line_scans.WIDTH)["width"] == 25
    at_rest = line_scans.contrast_along(test.clean[2, ..., 0], line)
    assert 0.1 < at_rest < 0.6 and line_scans.contrast_along(test.noisy[2, ..., 0], line) > at_rest
    assert line_scans.contrast_along(np.ones((SIDE, SIDE)), line) == pytest.approx(0.0)
    assert (
        line_scans.find_line(data, test, b"Au", 2) is None
        and line_scans.contrast_along(test.clean[0, ..., 0], None) == 0
    )


def test_scans_are_drawn_25_px_wide_where_a_frame_has_room(tmp_path):
    data, test = make_movies()
    shown = {"Noisy": test.noisy, "WCVD": test.clean}
    line = line_scans.draw_scans(data, test, b"Pt", shown, tmp_path / "figures" / "scan.png")
    assert line["width"] == 25 and (tmp_path / "figures" / "scan.png").read_bytes().startswith(b"\x89PNG")
    few, few_test = make_movies(columns=1)
    assert line_scans.draw_scans(few, few_test, b"Pt", shown, tmp_path / "none.png") is None
    assert not (tmp_path / "none.png").exists()


def test_a_profile_of_a_wrong_level_is_seen_all_the_same():
    place = np.arange(50.0)
    true = 5 + np.sin(place / 3)

    def orange(found: np.ndarray) -> int:
        picture = figures_groups.profiles(place, true, {"WCVD": found}, "x", "y", columns=1)
        pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)
        return int((np.abs(pixels - (0xD5, 0x5E, 0)).sum(axis=-1) < 60).sum())

    assert orange(0.1 * true) > 0.7 * orange(0.9 * true) and orange(np.zeros(50)) > 0.3 * orange(0.9 * true)


def test_surface_profiles_are_drawn_in_the_same_way(tmp_path):
    data, test = make_movies()
    row, clean = surface_profiles.surface_row(data, test, 0), test.clean[0, ..., 0]
    surface_profiles.draw(row, clean, {"Noisy": test.noisy[0, ..., 0], "Clean": clean}, tmp_path / "profiles.png")
    assert (tmp_path / "profiles.png").read_bytes().startswith(b"\x89PNG")


def test_the_region_of_the_particle_is_around_its_metal_columns_in_every_frame():
    data, test = make_movies()
    region = wcvd.particle(data, test, "pt", np.arange(FRAMES))
    y, x = np.array([3, 3]) / SAMPLING
    assert region.shape == (SIDE, SIDE) and region.dtype == bool
    assert region[int(y), int(x)] and region[int(y) - 9, int(x)] and not region[int(y) - 11, int(x)]
    assert region[15:75, 15:50].all()  # no holes between columns
    assert not region[85, 85]  # the support is no metal
    last = 3 + 5 * STEP + SAMPLING * (FRAMES - 1)  # the lowest column in the last frame, to which the particle drifts
    assert region[int(last / SAMPLING) + 9, int(x)]


def test_figure_2_records_fitted_scores_and_the_region_and_draws_scans(tmp_path, monkeypatch):
    """With filters in the place of networks: WCVD's is right but for its level."""

    gaussian = SpaceTimeGaussian(sigma=2.0, sigma_time=0.0)
    methods = {"Gaussian filter, 3-D, tuned": gaussian, "Noise2Void": gaussian, "UDVD": gaussian, "WCVD": gaussian}
    found = [Method(NOISY), Method(BLANK, Constant()), *(Method(label, d) for label, d in methods.items())]
    found.append(Method("WCVD, low-pass tuned", gaussian))

    def denoise(method: Method, images: ImageSet) -> np.ndarray:
        denoised = Method.denoise(method, images)
        return 0.5 * denoised if method.label == "WCVD" else denoised

    found = [SimpleNamespace(**vars(m), record=m.record, denoise=lambda t, m=m: denoise(m, t)) for m in found]
    monkeypatch.setattr(Workspace, "movies", lambda self, kind, size: make_movies()[0])
    monkeypatch.setattr(wcvd, "movies", lambda kind, size, workspace, split="test": make_movies(wcvd.METAL[kind]))
    monkeypatch.setattr(wcvd, "networks", lambda size, workspace: [])
    monkeypatch.setattr(wcvd, "networks_of", lambda kind, size, workspace: [])
    monkeypatch.setattr(wcvd, "filters", lambda validation: found)
    experiments.load("wcvd_figure_2").run("smoke", Workspace(results=tmp_path))

    made = {(r["method"], r["conditions"]["tested_on"]): r["scores"] for r in records.load(tmp_path / "records")}
    dark, right = made["WCVD", "au"], made["UDVD", "au"]
    assert dark["psnr_db"] < right["psnr_db"] - 3
    assert dark["fitted_psnr_db"] == pytest.approx(right["fitted_psnr_db"], abs=0.01)
    assert all("fitted_psnr_db" in scores for scores in made.values())
    assert made[NOISY, "co"]["fitted_psnr_db"] == pytest.approx(made[NOISY, "co"]["psnr_db"], abs=0.01)
    assert 0.3 < right["region_part"] < 0.8
    assert right["region_umse"] == pytest.approx(right["region_mse"], abs=0.3)
    assert right["region_mse"] > right["mse"]  # a filter errs where something is to be seen
    for kind in wcvd.KINDS:
        assert (tmp_path / "figures" / f"wcvd_figure_2.smoke.scan_{kind}.png").exists()
    text = (tmp_path / "tables" / "wcvd_figure_2.smoke.md").read_text()
    assert "PSNR, fitted [dB]" in text and "uPSNR of the particle [dB]" in text and "dB of shape" in text
