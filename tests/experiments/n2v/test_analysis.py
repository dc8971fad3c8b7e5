"""What denoised frames are good for: the tables of Figures 1, 3, 4 and 5, the lines and the pairs that are measured."""

import numpy as np
import pytest

from experiments import table_of
from experiments.n2v.figure_3 import CLEAR, LENGTH, _strongest
from experiments.n2v.figure_4 import APART, BETWEEN, EDGE, JITTER, Planted, _pairs, measure
from stemjax import records, tables
from stemjax.apply.evaluate import ImageSet
from stemjax.data.au_graphene import GrapheneImaging
from stemjax.metrics.lattice import Lattice, polar_vector
from stemjax.physics import contrast_library
from stemjax.physics.noise import Gaussian
from tests.toys.records import a_record

METHODS = ("Noisy", "Constant", "Gaussian filter, paper's", "Total variation, paper's", "Noise2Void")


def add(results, experiment: str, scores: tuple[str, ...], frames: str = "", movies: int = 10):
    """Records at both noise levels; the score number s of method number m is m + s / 10, whatever the frame."""
    for level in (7.0, 16.4):
        for number, method in enumerate(METHODS):
            values = {name: number / 10 + place / 100 for place, name in enumerate(scores)}
            rows = [
                {"image": f"a-{movie}-{frame}", "unit": f"a-{movie}", "psnr_db": 20.0} | values
                for movie in range(movies)
                for frame in range(2)
            ]
            facts = {"method": method, "denoiser": None, "tuning": None, "protocol": "stem"}
            conditions = {"input_psnr_db": level} | ({"frames": frames} if frames else {})
            imaging = GrapheneImaging(Gaussian(level))
            record = a_record(rows, experiment=experiment, imaging=imaging, conditions=conditions, **facts)
            records.append(results / "records", record, rows)


def rendered(results, name: str) -> list[list[str]]:
    """Cells of the table's lines."""
    contents = {path.name: content for path, content in tables.render(results, table_of, name).items()}
    text = contents[f"{name}.cpu.md"].decode()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]


def test_published_figures_stand_beside_ours_at_the_noise_of_the_experiment(tmp_path):
    name = "n2v_figure_4"
    add(tmp_path, name, ("adf_adatom_snr", "clean_adf_adatom_snr", "adf_psnr_db"), "unseen")
    add(
        tmp_path,
        name,
        ("adf_dip_percent", "clean_adf_dip_percent", "adf_dip_error_percent", "adf_weaker_height", "adf_psnr_db"),
        "planted pairs",
        movies=3,
    )
    lines = rendered(tmp_path, name)
    first = lines[: len(METHODS) + 3]
    assert first[0][:3] == ["Noise of 16.4 dB, unseen", "ADF adatom SNR", "Published"]
    assert [line[2] for line in first[2:]] == ["", "2", "", "3.3", "7.2", "12"]
    assert first[2][:2] == ["Clean", "0.0"] and first[-1][1] == "0.4 [0.4, 0.4]"
    pairs = lines[[line[0] for line in lines].index("Noise of 16.4 dB, planted pairs") :]
    assert [line[2] for line in pairs[3:8]] == ["57", "", "28", "14", "29"]
    assert "[" not in pairs[-1][1]  # three movies have no interval
    assert not any("Published" in cell for line in lines if "7 dB" in line[0] for cell in line)


@pytest.mark.parametrize(
    ("name", "scores", "heading"),
    [
        ("n2v_figure_1", ("adatom_precision", "adatom_recall", "adatom_f1", "adf_psnr_db"), "Recall"),
        (
            "n2v_figure_3",
            tuple(f"{channel}_profile_{kind}" for channel in ("adf", "bf") for kind in ("correlation", "amplitude")),
            "ADF amplitude ratio",
        ),
    ],
)
def test_every_score_has_its_column(tmp_path, name, scores, heading):
    add(tmp_path, name, scores)
    lines = rendered(tmp_path, name)
    column = lines[0].index(heading)
    assert lines[-1][0] == "Noise2Void" and lines[-1][column] == "0.410 [0.410, 0.410]"
    text = tables.render(tmp_path, table_of, name)[tmp_path / "tables" / f"{name}.cpu.md"].decode()
    assert ("The paper counts 89 % more adatoms" in text) == (name == "n2v_figure_1")
    assert "Clean" not in {line[0] for line in lines}


def test_the_spectrum_has_its_clean_row(tmp_path):
    spots = [f"{c}_spot_snr_{family}" for c in ("bf", "adf") for family in ("1120", "1010")]
    passed = [f"{c}_{kind}" for c in ("bf", "adf") for kind in ("transfer_at", "transfer_between", "anisotropy")]
    add(tmp_path, "n2v_figure_5", (*passed, *spots, *(f"clean_{spot}" for spot in spots)))
    lines = rendered(tmp_path, "n2v_figure_5")
    assert lines[0][1:4] == ["BF SNR of (11-20)", "Published", "BF SNR of (10-10)"]
    assert lines[2][0] == "Clean" and lines[2][1] == "0.1" and lines[2][2] == ""
    assert [line[2] for line in lines[3:8]] == ["9.0", "", "8.2", "10.7", "16.0"]
    assert lines[-1][0] == "Noise2Void" and lines[-1][3] == "0.42 [0.42, 0.42]"
    contents = tables.render(tmp_path, table_of, "n2v_figure_5")
    csv = contents[tmp_path / "tables" / "n2v_figure_5.cpu.csv"].decode().splitlines()
    assert len(csv) == 1 + 2 * len(METHODS)  # both parts of a row in one


# ---------------------------------------------------------------------------------------------------- what is measured
def test_the_line_keeps_clear_of_adatoms_and_follows_the_lattice():
    sampling, lattice = 0.46, Lattice(0.46, 12.0)
    y, x = np.indices((96, 96)) * sampling
    along, across = polar_vector(1.0, lattice.direction("10-10")), polar_vector(1.0, lattice.direction("10-10") + 90)
    # A wave along the direction, strong in one stripe only.
    wave = np.cos(2 * np.pi / 4.26 * (y * along[0] + x * along[1]))
    middle = (y - 22) * across[0] + (x - 22) * across[1]
    clean = (wave * (np.abs(middle) < 3))[..., None]
    positions = np.array([(22.0, 22.0) + 15 * along])
    line = _strongest(clean, positions, lattice, sampling, np.random.default_rng(0))
    places = line.start + polar_vector(np.linspace(0, LENGTH, 50), line.angle)
    assert (line.angle - lattice.direction("10-10")) % 60 == pytest.approx(0, abs=1e-9)
    assert np.linalg.norm(places - positions[0], axis=1).min() >= CLEAR - 0.1
    assert (places > 0).all() and (places < 95 * sampling).all()
    assert line.along(clean[..., 0], sampling)[1].std() > 0.5  # the stripe, which few lines follow by chance
    with pytest.raises(ValueError, match="clear of the adatoms"):
        crowd = np.stack(np.meshgrid(np.arange(0, 45, 4.0), np.arange(0, 45, 4.0)), axis=-1).reshape(-1, 2)
        _strongest(clean, crowd, lattice, sampling, np.random.default_rng(0))


def test_pairs_are_planted_as_stated():
    cell, sites = (4.26, 2.46), np.zeros((9, 2))
    library = contrast_library.Library(np.zeros((4, 4, 1)), np.zeros((9, 4, 4, 1)), sites, cell, 12.6)
    drift, rotation, side = np.array([0.3, -0.7]), 17.0, 127 * 0.46
    pairs = np.stack(
        [_pairs(np.random.default_rng(seed), library, rotation, drift, (128, 128), 0.46) for seed in range(10)]
    )
    np.testing.assert_allclose(np.linalg.norm(pairs[:, :, 1] - pairs[:, :, 0], axis=-1), APART, rtol=1e-6)
    assert (pairs > EDGE).all() and (pairs < side - EDGE).all()
    centres = pairs.mean(axis=2)
    apart = np.linalg.norm(centres[:, :, None] - centres[:, None], axis=-1) + 99 * np.eye(pairs.shape[1])
    assert apart.min() >= BETWEEN
    # The first of a pair is near a site: a third of the primitive vectors.
    thirds = 3 * np.asarray(
        contrast_library.primitive_coordinates(contrast_library.to_lattice(pairs[:, :, 0], rotation, drift), cell)
    )
    step = np.linalg.norm([(cell[0] / 2 / 3, cell[1] / 2 / 3)])  # Å of a third
    assert np.abs(thirds - np.rint(thirds)).std() * step < 1.5 * JITTER
    angles = np.arctan2(*np.moveaxis(pairs[:, :, 1] - pairs[:, :, 0], -1, 0)).ravel()
    assert np.abs(np.exp(1j * angles).mean()) < 0.5  # in all directions


def test_a_lost_adatom_shows_in_the_heights_though_not_in_the_dip():
    sampling, ends = 0.46, np.array([[[[20.0, 20.0], [20.0, 23.4]]]])
    y, x = np.indices((96, 96)) * sampling
    spots = [np.exp(-((y - 20) ** 2 + (x - place) ** 2) / (2 * 0.5**2)) for place in (20.0, 23.4)]
    frames = np.stack([0.1 * spots[0] + height * spots[1] for height in (0.1, 0.02)])[..., None]
    images = ImageSet(frames, frames, None, [], GrapheneImaging())
    dips, heights = measure(frames, Planted(images, np.repeat(ends, 2, axis=0)))
    assert dips[:, 0] == pytest.approx([99, 99], abs=1.5)
    assert heights[:, 0, 1] / heights[0, 0, 1] == pytest.approx([1, 0.2], rel=0.03)
    flat = measure(np.ones_like(frames), Planted(images, np.repeat(ends, 2, axis=0)))
    assert not flat[0].any() and np.abs(flat[1]).max() < 1e-9
