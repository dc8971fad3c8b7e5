"""What the user types works from Python, too: the functions of `import stemjax`."""

import subprocess
import sys
import warnings
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from scipy.ndimage import median_filter

import stemjax
from stemjax.cli import main
from tests.toys.track import make_place

NOISY = np.random.default_rng(0).poisson(5.0, (12, 32, 32)).astype(np.uint16)
CLEAN = np.full(NOISY.shape, 5.0) + np.sin(np.arange(32))


@dataclass(frozen=True)
class Median:
    """As a person would write it who knows SciPy."""

    size: int = 3
    on_host: ClassVar[bool] = True

    def denoise(self, variables, noisy, key=None):
        return median_filter(noisy, size=(1, self.size, self.size, 1))


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    path = tmp_path_factory.mktemp("api") / "movie.npy"
    np.save(path, NOISY)
    return path


def test_the_import_is_light():
    """Nothing heavy is loaded before it is asked for."""
    code = "import sys, stemjax; print([m for m in ('jax', 'numpy', 'flax') if m in sys.modules], dir(stemjax)[-1])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith("[]")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        stemjax.nothing  # noqa: B018
    assert all(callable(getattr(stemjax, name)) for name in stemjax.__all__)


def test_the_five_lines(tiny_networks, movie, tmp_path):
    noisy = stemjax.read(movie, sampling=0.2)
    model = stemjax.train("noise2void", noisy, size="smoke", runs=tmp_path / "runs")
    result = stemjax.denoise(noisy, model)
    found = stemjax.score(result, clean=CLEAN)
    path = stemjax.write(result, tmp_path / "movie_denoised.tif")
    assert result.data.shape == (12, 32, 32, 1) and result.sampling == 0.2
    assert result.provenance["model"] == model.name and set(found) == {"psnr_db", "ssim", "nrmse"}
    again = stemjax.read(path)
    np.testing.assert_array_equal(again.data, result.data)
    assert again.sampling == pytest.approx(0.2)
    again = stemjax.train("noise2void", noisy, size="smoke", runs=tmp_path / "runs")
    assert again.name == model.name  # is there already


def test_python_and_the_command_line_give_the_same_numbers(movie, tmp_path, capsys):
    assert main(["denoise", str(movie), "--model", "gaussian", "--set", "sigma=2", "--out", str(tmp_path)]) == 0
    written = stemjax.read(tmp_path / "movie_denoised.tif")
    np.testing.assert_array_equal(written.data, stemjax.denoise(movie, "gaussian", settings={"sigma": 2}).data)


@pytest.mark.parametrize("axes", [None, "HWT", "THW"])
def test_an_array_comes_back_as_it_came(axes):
    array = NOISY if axes != "HWT" else np.moveaxis(NOISY, 0, -1)
    result = stemjax.denoise(array, "gaussian", axes=axes)
    assert isinstance(result, np.ndarray) and result.shape == array.shape
    first = stemjax.denoise(NOISY[0], "gaussian")
    assert first.shape == (32, 32)
    np.testing.assert_allclose(first, result[..., 0] if axes == "HWT" else result[0], rtol=1e-5)
    with pytest.raises(ValueError, match="looks like RGB"):
        stemjax.denoise(np.ones((32, 32, 3)), "gaussian")


def test_binning_changes_shape_and_pixel_size(movie):
    result = stemjax.denoise(stemjax.read(movie, sampling=0.1), "gaussian", bin=2)
    assert result.data.shape == (12, 16, 16, 1) and result.sampling == pytest.approx(0.2)
    assert result.noisy.data.shape == result.data.shape and result.noisy.data.sum() == NOISY.sum()


def test_without_the_truth_a_movie_is_compared_with_its_own_noise(movie):
    frames = np.random.default_rng(0).poisson(5 + 3 * np.sin(np.arange(32)), (80, 32, 32))
    result = stemjax.denoise(stemjax.Image(frames[..., None].astype(np.float32)), "gaussian", settings=("sigma=2",))
    found = stemjax.score(result)
    assert found["upsnr_low_db"] < found["upsnr_db"] < found["upsnr_high_db"]
    assert found == stemjax.score(result.data[..., 0], noisy=frames, window=(0, 0))
    with pytest.raises(ValueError, match=r"say window=\(before, after\)"):
        stemjax.score(result.data[..., 0], noisy=frames)
    with pytest.raises(ValueError, match="nothing to compare with"):
        stemjax.score(NOISY)
    with pytest.raises(ValueError, match="the clean image is 32 x 32 x 1, but"):
        stemjax.score(result, clean=CLEAN[0])


def test_a_method_of_ones_own_in_place_of_a_name(movie):
    image = stemjax.read(movie)
    result = stemjax.denoise(image, Median(), settings={"size": 5})
    np.testing.assert_allclose(result.data[..., 0], median_filter(NOISY.astype(np.float32), (1, 5, 5)))
    assert result.provenance["denoiser"] == {"class": "Median", "repr": "Median(size=5)"}
    plain = type("Plain", (), {"on_host": True, "denoise": Median.denoise, "size": 5})()  # no dataclass
    np.testing.assert_array_equal(stemjax.denoise(image, plain).data, result.data)
    with pytest.raises(ValueError, match="Plain has no settings: only a dataclass has"):
        stemjax.denoise(image, plain, settings={"size": 3})
    with pytest.raises(ValueError, match="dict is no denoiser"):
        stemjax.denoise(image, {})


def test_it_stands_on_a_track(tmp_path, capsys):
    root, _ = make_place(tmp_path)
    capsys.readouterr()
    standing = stemjax.benchmark(Median(), "pt-ceo2", data=root / "data", results=root / "results")
    assert "PSNR" in str(standing) and "Gaussian filter" in str(standing)
    assert standing.added[0][0]["method"] == "Median (yours)"
    known = stemjax.benchmark("gaussian", settings={"sigma": 2}, data=root / "data", results=root / "results")
    row = next(entry for _, entry in standing.placed for entry in _.entries if entry.method == "Gaussian filter")
    assert known.placed[0][1].value == pytest.approx(row.value, abs=1e-3)


def test_what_speaks_against_a_result_is_a_warning(movie):
    with pytest.warns(UserWarning, match="its pixel size is unknown, and sbd-unet-small was trained at"):
        stemjax.denoise(NOISY[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stemjax.denoise(stemjax.read(movie, sampling=0.098))


def test_models_are_listed_and_loaded():
    listed = stemjax.list_models()
    assert listed["gaussian"] == "Gaussian filter" and listed["wcvd"].startswith("train first: ")
    assert stemjax.load_model("gaussian").denoiser.name == "gaussian"
    with pytest.raises(ValueError, match="did you mean 'gaussian'"):
        stemjax.load_model("gausian")


def test_an_image_shows_itself(movie):
    image = stemjax.read(movie, sampling=0.25)
    assert repr(image) == f"Image(12 x 32 x 32 x 1 THWC, 0.25 Å per pixel, uint16, from {movie})"
    assert image._repr_html_().startswith('<img alt="" src="data:image/png;base64,')


def test_a_method_of_movies_is_scored_by_frames_that_it_did_not_see():
    frames = np.random.default_rng(0).poisson(5 + 3 * np.sin(np.arange(32)), (60, 32, 32))
    result = stemjax.denoise(stemjax.Image(frames[..., None]), "space-time-gaussian")
    assert result.provenance["frames"][0] > 0
    window = tuple(result.provenance["frames"])
    assert stemjax.score(result) == stemjax.score(result.data[..., 0], noisy=frames, window=window)


def test_a_function_is_a_method(movie):
    def smooth(image):
        return median_filter(image, 5)

    result = stemjax.denoise(movie, smooth)
    np.testing.assert_array_equal(result.data, stemjax.denoise(movie, Median(), settings={"size": 5}).data)
    assert result.provenance["model"] == "smooth"


def test_numpy_takes_an_image_for_its_data(movie):
    image = stemjax.read(movie)
    np.testing.assert_array_equal(np.asarray(image), image.data)
    assert image.shape == image.data.shape and image in {image} and image != stemjax.read(movie)


def test_the_file_that_was_read_is_not_replaced(tmp_path):
    path = stemjax.write(NOISY, tmp_path / "new" / "a.tif")
    image = stemjax.read(path)
    with pytest.raises(ValueError, match="the image was read from this file"):
        stemjax.write(image, path)
    assert stemjax.read(stemjax.write(image, tmp_path / "b.tif", dtype="uint16")).dtype == "uint16"


RGB = np.ones((32, 32, 2), np.float32)
FAULTS = {
    "bin": (lambda: stemjax.denoise(NOISY, "gaussian", bin=0), "bin=0: give a whole number of pixels"),
    "sampling": (lambda: stemjax.denoise(NOISY, "gaussian", sampling=-1), "sampling -1 is no pixel size"),
    "words": (lambda: stemjax.denoise(RGB, "gaussian"), 'channels last, .* say axes="HWC" for channels'),
    "flat": (lambda: stemjax.Image(np.ones((4, 4))), "an Image has data"),
    "axes": (lambda: stemjax.denoise(stemjax.Image(NOISY[..., None]), "gaussian", axes="HWC"), "axes of its own, THWC"),
    "text": (lambda: stemjax.write("a.tif", NOISY), "str is no image"),
    "dtype": (lambda: stemjax.write(NOISY, "a.tif", "int32"), "choose one of float32, uint16, uint8"),
    "nan": (lambda: stemjax.write(np.full((9, 9), np.nan), "a.tif", "uint8"), "have no uint8"),
    "read": (lambda: stemjax.read(NOISY), "read takes the path of a file"),
    "size": (lambda: stemjax.train("noise2void", NOISY, size="big"), "choose one of smoke, cpu, gpu"),
    "steps": (lambda: stemjax.train("noise2void", NOISY, steps=0), "steps= must be at least 1"),
    "filter": (lambda: stemjax.train("gaussian", NOISY), "gaussian is a filter, with nothing to train"),
    "order": (lambda: stemjax.train(NOISY, "noise2void"), "the model comes first"),
    "lost": (lambda: stemjax.train("noise2void", "nowhere.tif"), "nowhere.tif: no such file"),
    "class": (lambda: stemjax.denoise(NOISY, Median), r"Median is a class: give an object of it, Median\(\)"),
    "sigma": (
        lambda: stemjax.denoise(NOISY, "gaussian", settings={"sigma": -1}),
        "sigma is -1.0: a standard deviation",
    ),
    "settings": (lambda: stemjax.denoise(NOISY, "gaussian", settings=5), "settings 5: give a dict"),
    "none": (lambda: stemjax.denoise(NOISY, lambda image: image[:2]), "keep the shape"),
    "both": (lambda: stemjax.score(NOISY, clean=CLEAN, noisy=NOISY), "not both"),
    "range": (lambda: stemjax.score(NOISY, clean=CLEAN, data_range=0), "give a number above 0"),
    "window": (lambda: stemjax.score(NOISY, noisy=NOISY, window=1), "window 1: give two whole numbers"),
    "small": (lambda: stemjax.score(np.ones((5, 5)), clean=np.ones((5, 5))), "less than 7 px have no SSIM"),
    "model": (lambda: stemjax.load_model(""), "no model named ''"),
    "untrained": (lambda: stemjax.denoise(NOISY, "noise2void"), "in Python stemjax.train"),
    "track": (lambda: stemjax.benchmark("gaussian", results="nowhere"), "give results=, its folder"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_mistake_is_one_line_in_words_of_python(fault, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, message = FAULTS[fault]
    with pytest.raises((ValueError, OSError), match=message) as raised:
        call()
    assert "--" not in str(raised.value) and "\n" not in str(raised.value)
    assert not list(tmp_path.rglob("*.tif"))


def test_the_truth_may_be_an_array_of_the_very_shape_of_the_result():
    """[T, H, W, 1] by itself could mean many things; beside an image of that shape it means one."""
    clean = np.full((3, 16, 16, 1), 5.0, np.float32) + np.arange(16, dtype=np.float32)[:, None]
    result = stemjax.denoise(np.random.default_rng(0).poisson(clean[..., 0]).astype(np.float32), "gaussian")
    image = stemjax.Image(np.asarray(result)[..., None])
    assert stemjax.score(image, clean=clean) == stemjax.score(image, clean=stemjax.Image(clean))
