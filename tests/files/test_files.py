"""Image files: what is read and how, what is refused and why, what is written."""

import json

import numpy as np
import pytest
import tifffile

from stemjax import files
from stemjax.files import Image, read_image, write_image

NOISY = np.random.default_rng(0).poisson(2.0, (24, 30)).astype(np.float32)


def save(path, array, **options):
    if path.suffix == ".npy":
        np.save(path, array, **options)
    else:
        tifffile.imwrite(path, array, **options)
    return path


@pytest.mark.parametrize(
    "dtype",
    [
        "float32",
        "float64",
        "float16",
        ">f4",
        ">f8",
        "uint8",
        "uint16",
        ">u2",
        "int16",
        ">i4",
        "uint32",
        "int64",
        "bool",
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_every_number_type_becomes_float32(tmp_path, dtype, suffix):
    array = NOISY.astype(dtype)
    if suffix == ".tif" and dtype == "bool":
        array = array.astype(np.uint8)  # one-bit TIFF needs an optional codec
    image = read_image(save(tmp_path / f"a{suffix}", array))
    assert image.data.dtype == np.float32 and image.data.dtype.isnative and image.axes == "HWC"
    np.testing.assert_array_equal(image.data[..., 0], array.astype(np.float32))


def test_negative_counts_stay_negative(tmp_path):
    data = read_image(save(tmp_path / "a.tif", (NOISY - 3).astype(np.int16))).data
    assert data.min() == (NOISY - 3).min() < 0


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((24, 30), None, (24, 30, 1)),
        ((5, 24, 30), None, (5, 24, 30, 1)),
        ((24, 30, 3), "HWC", (24, 30, 3)),
        ((3, 24, 30), "CHW", (24, 30, 3)),
        ((24, 30, 4), "HWT", (4, 24, 30, 1)),
        ((24, 30), "WH", (30, 24, 1)),
        ((5, 2, 24, 30), "TCHW", (5, 24, 30, 2)),
        ((5, 24, 30, 2), "thwc", (5, 24, 30, 2)),
    ],
)
def test_axes(tmp_path, shape, axes, expected):
    image = read_image(save(tmp_path / "a.npy", np.zeros(shape, np.float32)), axes)
    assert image.data.shape == expected


@pytest.mark.parametrize(
    ("shape", "named", "expected"),
    [
        ((5, 2, 24, 30), "TCYX", (5, 24, 30, 2)),
        ((1, 2, 24, 30), "TCYX", (24, 30, 2)),  # once two frames of one channel
        ((2, 24, 30), "CYX", (24, 30, 2)),
        ((5, 24, 30), "TYX", (5, 24, 30, 1)),
        ((5, 24, 30), "ZYX", (5, 24, 30, 1)),  # a stack of unknown meaning is a movie
    ],
)
def test_axes_that_an_imagej_file_names(tmp_path, shape, named, expected):
    path = save(tmp_path / "a.tif", np.zeros(shape, np.float32), imagej=True, metadata={"axes": named})
    assert read_image(path).data.shape == expected
    if named == "CYX":  # what the user says counts more
        assert read_image(path, "THW").data.shape == (2, 24, 30, 1)


@pytest.mark.parametrize(("shape", "axes"), [((5, 2, 24, 30), "TCHW"), ((5, 24, 30, 2), "THWC")])
def test_four_unnamed_axes_are_refused_with_the_likely_ones(tmp_path, shape, axes):
    with pytest.raises(ValueError, match=f"say --axes {axes}"):
        read_image(save(tmp_path / "a.npy", np.zeros(shape, np.float32)))


def test_a_written_image_of_two_channels_reads_back(tmp_path):
    image = Image(np.stack([NOISY, 2 * NOISY], axis=-1))
    write_image(tmp_path / "a.tif", image, {})
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").data, image.data)


@pytest.mark.parametrize(
    ("unit", "factor"), [("nm", 10.0), ("\\u00B5m", 1e4), ("angstrom", 1.0), ("pixel", None), ("", None)]
)
def test_sampling_of_an_imagej_file(tmp_path, unit, factor):
    path = save(tmp_path / "a.tif", NOISY, imagej=True, resolution=(20.0, 20.0), metadata={"unit": unit})
    sampling = read_image(path).sampling
    assert sampling == (pytest.approx(factor / 20) if factor else None)


def test_sampling_of_an_ome_file(tmp_path):
    metadata = {"axes": "YX", "PhysicalSizeX": 0.05, "PhysicalSizeXUnit": "nm"}
    path = save(tmp_path / "a.ome.tif", NOISY, ome=True, metadata=metadata)
    assert read_image(path).sampling == pytest.approx(0.5)


def test_dots_per_inch_are_not_a_pixel_size(tmp_path):
    assert read_image(save(tmp_path / "a.tif", NOISY, resolution=(72, 72))).sampling is None


# ---------------------------------------------------------------------------------------------------- refusals
def _bytes(content):
    return lambda path: path.write_bytes(content)


def _array(array):
    return lambda path: save(path, array)


def _cut(array, keep):
    def make(path):
        save(path, array)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])

    return make


def _pickled(path):
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)


def _at(value, *places):
    array = NOISY.copy()
    for place in places:
        array[place] = value
    return _array(array)


def _npy_header(shape, descr="<f4"):
    def make(path):
        with open(path, "wb") as stream:
            np.lib.format.write_array_header_1_0(stream, {"shape": shape, "fortran_order": False, "descr": descr})
            stream.write(bytes(64))

    return make


BIG = np.arange(90_000, dtype=np.float32).reshape(300, 300)
BAD = [  # (file name, how it is made, words that the one-line reason holds)
    ("absent.tif", lambda path: None, "no such file"),
    ("absent.npy", lambda path: None, "no such file"),
    ("folder.tif", lambda path: path.mkdir(), "is a directory"),
    ("folder", lambda path: path.mkdir(), "is a directory"),
    ("a.png", _bytes(b"\x89PNG\r\n\x1a\n"), "cannot be read as an image and may be damaged"),
    ("a.jpg", _bytes(b"\xff\xd8\xff"), "cannot be read as an image and may be damaged"),
    ("a.txt", _bytes(b"1 2 3"), "unknown format .txt"),
    ("a.npz", _bytes(b"PK"), "unknown format .npz"),
    ("a.pt", _bytes(b"PK"), "unknown format .pt"),
    ("a.pkl", _bytes(b"\x80\x04"), "unknown format .pkl"),
    ("a", _bytes(b"abc"), "unknown format"),
    ("empty.npy", _bytes(b""), "empty (0 bytes)"),
    ("empty.tif", _bytes(b""), "empty (0 bytes)"),
    ("empty.dm4", _bytes(b""), "empty (0 bytes)"),
    ("text.npy", _bytes(b"hello, world"), "not a .npy file"),
    ("zip.npy", _bytes(b"PK\x03\x04" + bytes(50)), "not a .npy file"),
    ("pickle.npy", _bytes(b"\x80\x04\x95" + bytes(50)), "not a .npy file"),
    ("objects.npy", _pickled, "never unpickled"),
    ("cut.npy", _cut(BIG, 0.5), "truncated"),
    ("header.npy", _bytes(b"\x93NUMPY\x01\x00"), "truncated"),
    ("header2.npy", _bytes(b"\x93NUMPY\x01\x00\x76\x00{'descr'"), "truncated"),
    ("version.npy", _bytes(b"\x93NUMPY\x09\x00" + bytes(80)), "truncated"),
    ("huge.npy", _npy_header((10**6, 10**6)), "truncated"),
    ("text.tif", _bytes(b"hello, world"), "not a readable TIFF"),
    ("png.tif", _bytes(b"\x89PNG\r\n\x1a\n" + bytes(50)), "not a readable TIFF"),
    ("cut.tif", _cut(BIG, 0.5), "truncated"),
    ("cut8.tif", _cut(BIG, 8 / 360000), "truncated"),
    ("header.tif", _bytes(b"II*\x00\x08\x00\x00\x00"), "truncated"),
    ("scalar.npy", _array(np.float32(3)), "a single number"),
    ("line.npy", _array(np.zeros(10, np.float32)), "1 axes of 10"),
    ("none.npy", _array(np.zeros((0, 5), np.float32)), "no pixels"),
    ("none3.npy", _array(np.zeros((5, 0, 3), np.float32)), "no pixels"),
    ("rgb.npy", _array(np.zeros((9, 9, 3), np.uint8)), "--axes HWC"),
    ("rgba.npy", _array(np.zeros((9, 9, 4), np.float32)), "--axes HWC"),
    ("rgb.tif", _array(np.zeros((9, 9, 3), np.uint8)), "RGB"),
    ("four.npy", _array(np.zeros((2, 3, 9, 9), np.float32)), "4 axes of 2 x 3 x 9 x 9"),
    ("four.tif", _array(np.zeros((2, 5, 9, 9), np.float32)), "--axes"),
    ("five.npy", _array(np.zeros((1, 2, 3, 9, 9), np.float32)), "5 axes"),
    ("complex.npy", _array(np.zeros((9, 9), np.complex64)), "complex64"),
    ("strings.npy", _array(np.array([["a", "b"]])), "instead of real numbers"),
    ("dates.npy", _array(np.zeros((9, 9), "datetime64[s]")), "instead of real numbers"),
    ("record.npy", _array(np.zeros((9, 9), [("a", "<f4"), ("b", "<i2")])), "instead of real numbers"),
    ("beyond.npy", _array(NOISY.astype(np.float64) + 1e300), "range of float32"),
    ("nan.npy", _at(np.nan, (3, 4)), "1 of 720 pixels (0.14 %) are NaN or infinite, the first at H=3, W=4"),
    ("inf.tif", _at(np.inf, (0, 1), (9, 9)), "2 of 720 pixels"),
    ("minus.npy", _at(-np.inf, (23, 29)), "the first at H=23, W=29"),
    ("allnan.npy", _array(np.full((9, 9), np.nan)), "81 of 81"),
    (
        "movie.npy",
        _array(np.where(np.arange(324).reshape(4, 9, 9) == 100, np.nan, 1.0)),
        "frame 1: 1 of 81 pixels (1.2 %) are NaN or infinite, the first at H=2, W=1",
    ),
    ("a.dm3", _bytes(bytes(100)), "a.dm3"),
    ("a.emd", _bytes(bytes(100)), "a.emd"),
    ("a.hspy", _bytes(bytes(100)), "a.hspy"),
]


@pytest.mark.parametrize(("name", "make", "reason"), BAD, ids=[case[0] for case in BAD])
def test_bad_files_are_refused_in_one_line(tmp_path, capsys, name, make, reason):
    from stemjax.cli import main

    path = tmp_path / name
    make(path)
    before = sorted(tmp_path.iterdir())
    assert main(["denoise", str(path), "--model", "gaussian"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    assert printed.err.startswith("error: ") and str(path) in printed.err and reason in printed.err
    assert sorted(tmp_path.iterdir()) == before


def test_there_are_enough_bad_files():
    assert len(BAD) >= 40


def test_no_permission(tmp_path):
    path = save(tmp_path / "a.npy", NOISY)
    path.chmod(0)
    try:
        path.read_bytes()
        pytest.skip("this user may read everything")
    except PermissionError:
        pass
    with pytest.raises(PermissionError, match="a.npy: Permission denied"):
        read_image(path)


@pytest.mark.parametrize("axes", ["H", "HH", "THW", "HWX", "CH"])
def test_wrong_axes_are_refused(tmp_path, axes):
    with pytest.raises(ValueError, match=axes):
        read_image(save(tmp_path / "a.npy", NOISY), axes)


def test_the_extra_is_named_where_it_is_missing(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "rsciio", None)
    path = tmp_path / "a.dm4"
    path.write_bytes(b"abc")
    with pytest.raises(OSError, match=r"pip install -e '.\[files\]'"):
        read_image(path)


def test_microscope_formats(tmp_path):
    mrcfile = pytest.importorskip("mrcfile", reason="the extra `files` is not installed")
    pytest.importorskip("rsciio", reason="the extra `files` is not installed")
    with mrcfile.new(tmp_path / "a.mrc") as mrc:
        mrc.set_data(NOISY)
        mrc.voxel_size = 0.5
    image = read_image(tmp_path / "a.mrc")
    assert image.sampling == pytest.approx(0.5, rel=1e-5)
    np.testing.assert_array_equal(image.data[..., 0], NOISY)
    json.dumps(image.metadata, allow_nan=False)


# ---------------------------------------------------------------------------------------------------- looking
def test_fill_nonfinite():
    y, x = np.mgrid[:30, :30]
    smooth = (np.sin(x / 9) + np.cos(y / 7)).astype(np.float32)[..., None]
    broken = smooth.copy()
    broken[5, 6], broken[20:22, 11] = np.nan, np.inf
    filled, mask = files.fill_nonfinite(broken)
    assert mask.sum() == 3
    np.testing.assert_array_equal(filled[~mask], smooth[~mask])
    np.testing.assert_allclose(filled, smooth, atol=0.02)
    with pytest.raises(ValueError, match="too much"):
        files.fill_nonfinite(np.full((9, 9, 1), np.nan, np.float32))


def test_warnings():
    image = np.random.default_rng(0).poisson(900, (100, 100, 1)).astype(np.float32)
    assert files.warnings_about(Image(image)) == []
    image[:2, :10] = 4095
    assert "0.2 % of the pixels are saturated (at 4095)" in files.warnings_about(Image(image))[0]
    assert "the image is constant" in files.warnings_about(Image(np.ones((9, 9, 1), np.float32)))[0]
    movie = np.stack([image, np.zeros_like(image)])
    assert any("1 of 2 frames are constant" in warning for warning in files.warnings_about(Image(movie)))


def test_few_counts_are_not_saturation():
    assert files.warnings_about(Image(np.minimum(NOISY, 3)[..., None])) == []


def test_binning_sums_counts():
    image = Image(NOISY[..., None], sampling=0.1)
    binned = image.bin(4)
    assert binned.data.shape == (6, 7, 1) and binned.sampling == pytest.approx(0.4)
    assert binned.data[2, 3, 0] == NOISY[8:12, 12:16].sum()
    with pytest.raises(ValueError, match="smaller --bin"):
        image.bin(25)


# ---------------------------------------------------------------------------------------------------- writing
@pytest.mark.parametrize("suffix", [".tif", ".npy"])
@pytest.mark.parametrize("shape", [(24, 30, 1), (24, 30, 3), (5, 24, 30, 1), (5, 24, 30, 3)])
def test_written_images_read_back(tmp_path, suffix, shape):
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    path = tmp_path / f"a{suffix}"
    sidecar = write_image(path, Image(data, sampling=0.25), {"model": "x"})
    about = json.loads(sidecar.read_text())
    assert about["sampling_angstrom"] == 0.25 and about["provenance"] == {"model": "x"}
    axes = about["axes"] if suffix == ".npy" else {"HWC": "CHW", "THWC": "TCHW"}.get(about["axes"], about["axes"])
    again = read_image(path, axes)
    np.testing.assert_array_equal(again.data, data)
    assert again.sampling == pytest.approx(0.25, rel=1e-5)


def test_integers_are_clipped_and_rounded(tmp_path):
    data = np.array([[-3.0, 1.6], [70000.0, np.nan]], np.float32)[..., None]
    write_image(tmp_path / "a.tif", Image(data), {}, "uint16")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), np.array([[0, 2], [65535, 0]], np.uint16))


def test_unknown_output_format(tmp_path):
    with pytest.raises(ValueError, match="use .tif or .npy"):
        write_image(tmp_path / "a.dm4", Image(NOISY[..., None]), {})


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"old")

    def fail(stream):
        stream.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        files.write_whole(path, fail)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_metadata_become_json():
    wild = {1: np.float32("nan"), "b": b"x", "c": (np.int64(3), {"d": np.arange(3)}), "e": object, "f": bytes(5000)}
    text = json.dumps(files.to_json(wild), allow_nan=False)
    assert json.loads(text)["c"] == [3, {"d": [0, 1, 2]}]


@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_what_was_written_is_read_with_its_pixel_size_and_axes(tmp_path, suffix):
    image = Image(np.arange(24 * 30 * 2, dtype=np.float32).reshape(24, 30, 2), sampling=0.25)
    write_image(tmp_path / f"a{suffix}", image, {"model": "gaussian"})
    again = read_image(tmp_path / f"a{suffix}")
    assert again.sampling == pytest.approx(0.25) and again.axes == "HWC"
    np.testing.assert_array_equal(again.data, image.data)


@pytest.mark.parametrize("text", ['{"sampling_angstrom": 3}', "[1, 2]", "no JSON"])
def test_another_json_file_beside_an_array_says_nothing_of_it(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    assert read_image(save(tmp_path / "a.npy", NOISY)).sampling is None
