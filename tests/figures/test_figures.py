"""Figures: of the right size, readable, and the same every time. Whether they are good to look at, a person judged."""

import io

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.io import imread

from stemjax import figures
from stemjax.figures import Panel


def lattice(size: int = 448, sampling: float = 0.0979) -> np.ndarray:
    """Columns of atoms below a surface, in counts."""
    y, x = np.mgrid[:size, :size] * sampling
    image = np.full((size, size), 1.8)
    for row in range(13):
        for column in range(-9, 10):
            y0, x0 = 14 + 2.3 * row, size * sampling / 2 + 2.44 * (column + row / 3)
            if abs(column) < 3 + row or row > 5:
                image += 1.2 * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * 0.6**2))
    return image


def some_panels(size: int = 448, methods: int = 8) -> list[Panel]:
    rng, clean = np.random.default_rng(0), lattice(size)
    noisy = rng.poisson(clean).astype(float)
    residual = gaussian_filter(noisy - clean, 4)
    smoothed = [clean + 2.0 / (1 + n) * residual for n in range(methods)]
    return [
        Panel("Clean", clean),
        Panel("Noisy", noisy, 3.5, is_noisy=True),
        *(Panel(f"Method {n}", image, 25.0 + n) for n, image in enumerate(smoothed)),
    ]


def test_a_strip_is_written_small_and_the_same_every_time(tmp_path):
    for name in "ab":
        figures.strip(some_panels(), tmp_path / f"{name}.png", sampling=0.0979, zoom_box=(150, 90, 300, 190))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").stat().st_size < 1_000_000
    picture = imread(tmp_path / "a.png")
    assert picture.shape[1] == pytest.approx(10 * 1.5 * 180, rel=0.05)


def test_equal_images_look_equal_and_a_brighter_one_brighter(tmp_path):
    clean = lattice(128)
    panels = [Panel("Clean", clean), Panel("Same", clean), Panel("Brighter", clean + 0.5)]
    figures.strip(panels, tmp_path / "a.png", sampling=0.1, zoom_box=(30, 80, 90, 120))
    picture = imread(tmp_path / "a.png")[..., :3].astype(float).mean(-1)
    # The lower part of each panel of the first row, right of the scale bar, above the zoom.
    width = (picture.shape[1] + 9) / 3
    means = [picture[100:250, round(n * width + 160) : round(n * width + 260)].mean() for n in range(3)]
    assert means[0] == pytest.approx(means[1], abs=3)
    assert means[2] > means[1] + 20


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (10, 10, 200, 20), (-1, 0, 5, 5)])
def test_a_box_outside_the_image_is_refused(tmp_path, box):
    with pytest.raises(ValueError, match="is not inside an image of 128 x 128"):
        figures.strip([Panel("Clean", lattice(128))], tmp_path / "a.png", sampling=0.1, zoom_box=box)
    assert not (tmp_path / "a.png").exists()


def test_panels_of_different_sizes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="differ in size"):
        panels = [Panel("Clean", lattice(128)), Panel("Other", lattice(64))]
        figures.strip(panels, tmp_path / "a.png", sampling=0.1, zoom_box=(0, 0, 5, 5))


def some_curves() -> dict[str, list[list[dict]]]:
    rng, crops = np.random.default_rng(1), np.arange(400, 6001, 400)
    return {
        name: [
            [{"crops": int(c), "validation_psnr_db": top - 6 * np.exp(-c / 1200) + 0.15 * rng.normal()} for c in crops]
            for _ in range(3)
        ]
        for name, top in (("SBD + DnCNN", 31.0), ("SBD + Small UNet", 31.2), ("SBD + UNet", 32.4))
    }


def test_learning_curves_are_written(tmp_path):
    figures.learning_curves(some_curves(), tmp_path / "new" / "curves.png", levels={"Gaussian filter, tuned": 30.1})
    assert imread(tmp_path / "new" / "curves.png").shape[:2] == (648, 1008)


def test_too_many_curves_are_refused(tmp_path):
    with pytest.raises(ValueError, match="8 methods for 7 colours"):
        figures.learning_curves({str(n): [[]] for n in range(8)}, tmp_path / "curves.png")


@pytest.mark.parametrize(("width", "length"), [(46.0, 10.0), (14.7, 2.0), (3.2, 1.0), (200.0, 50.0), (62.0, 20.0)])
def test_the_scale_bar_has_a_round_length(width, length):
    assert figures.bar_length(width) == length


def test_many_panels_stand_in_several_rows_and_long_labels_are_broken(tmp_path):
    panels = some_panels(methods=2)
    panels[-1] = Panel("A label much longer than an image is wide", panels[-1].image)
    figures.strip(panels, tmp_path / "a.png", sampling=0.1, zoom_box=(150, 90, 300, 240), columns=2)
    picture = imread(tmp_path / "a.png")
    assert picture.shape[1] == pytest.approx(2 * 1.55 * 180, rel=0.02)
    assert picture.shape[0] > 2 * 2 * 1.5 * 180


def test_a_colour_bar_has_no_bands_in_full_colour():
    """A bar of 256 colours beside an image in grey noise, which takes most of a palette."""
    from matplotlib.figure import Figure

    def coloured(**options) -> int:
        figure = Figure(figsize=(4, 2), dpi=100)
        grey, bar = figure.add_axes((0, 0, 0.9, 1)), figure.add_axes((0.95, 0, 0.03, 1))
        grey.imshow(np.random.default_rng(0).normal(size=(200, 360)), cmap="gray", aspect="auto")
        bar.imshow(np.arange(256.0)[:, None], cmap="RdBu_r", aspect="auto")
        content = figures.encode(figure, **options)
        assert len(content) < 160_000
        return len(np.unique(imread(io.BytesIO(content))[..., :3][5:195, 386], axis=0))

    assert coloured() < 100 and coloured(full_colour=True) > 150
