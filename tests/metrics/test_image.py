"""Image metrics: closed forms, the authors' own figures, and the protocols' contracts."""

import json

import numpy as np
import pytest
from skimage.io import imread

from stemjax.metrics.image import PROTOCOLS, score


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    true = rng.uniform(0.1, 0.9, (32, 40, 2)).astype("f4")
    return true, true + rng.normal(0, 0.05, true.shape).astype("f4")


@pytest.mark.parametrize("case", range(4))
def test_sbd_equals_the_authors_metrics(reference, case):
    vectors = np.load(reference / "parity" / "sbd_metrics.npz")
    assert "x255" in json.loads(str(vectors["meta_json"]))["note"]
    pairs = zip(vectors[f"clean{case}"][:, 0], vectors[f"noisy{case}"][:, 0], strict=True)
    scores = [score(true, test, "sbd") for true, test in pairs]
    for key, name in (("psnr_db", "psnr"), ("ssim", "ssim")):
        each = [values[key] for values in scores]
        np.testing.assert_allclose(each, vectors[f"{name}_each{case}"], rtol=1e-5)
        assert np.mean(each) == pytest.approx(float(vectors[f"{name}{case}"]), rel=1e-5)


def test_sbd_on_the_reference_image(reference):
    """Raw 3.53 dB as printed (unclamped), 6.26 dB by the contract; the mean 26.3 dB."""
    clean = imread(reference / "ptceo2_drprobe_PtNp2-S1-2_2-S3_1_6nm.tif")
    noisy = np.random.default_rng(0).poisson(clean)
    assert score(clean, noisy, "sbd", clamp=False)["psnr_db"] == pytest.approx(3.53, abs=0.02)
    assert score(clean, noisy, "sbd")["psnr_db"] == pytest.approx(6.26, abs=0.02)
    assert score(clean, np.full_like(clean, noisy.mean()), "sbd")["psnr_db"] == pytest.approx(26.3, abs=0.05)


def test_sbd_does_not_depend_on_the_dose(images):
    true, test = images[0][..., 0], images[1][..., 0]
    expected = score(true, test, "sbd")
    assert score(4 * true, 4 * test, "sbd", dose_scale=4.0) == pytest.approx(expected, rel=1e-5)
    assert score(true[..., None], test[..., None], "sbd") == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "protocol, span", [("sbd", 1.0), ("photo", 1.0), ("glyph", 1.0), ("stem", 0.5), ("movie", 2.0)]
)
def test_psnr_and_nrmse_have_their_closed_forms(protocol, span):
    true = np.tile(np.float32([0.25, 0.75]), (16, 8))
    options = {"data_range": span} if protocol == "movie" else {}
    scores = score(true, true + np.float32(0.05), protocol, **options)
    assert scores["psnr_db"] == pytest.approx(20 * np.log10(span / 0.05), abs=1e-3)
    # Of the clean image the root mean square is sqrt(0.3125), whatever its range.
    assert scores["nrmse"] == pytest.approx(0.05 / np.sqrt(0.3125), rel=1e-3)
    same = score(true, true, protocol, **options)
    assert same == {"psnr_db": np.inf, "ssim": pytest.approx(1), "nrmse": 0}


@pytest.mark.parametrize("protocol", ["stem", "movie", "photo", "glyph"])
def test_nrmse_depends_on_the_offset_as_psnr_does_not(protocol):
    """An error of 0.05 on 0.25 and 0.75, then on 1.25 and 1.75: one PSNR, and another part of the image."""
    true = np.tile(np.float32([0.25, 0.75]), (16, 8))
    options = {"data_range": 0.5} if protocol == "movie" else {}
    scores = [score(image, image + np.float32(0.05), protocol, **options) for image in (true, true + 1)]
    assert scores[1]["psnr_db"] == pytest.approx(scores[0]["psnr_db"], abs=1e-4)
    assert [s["nrmse"] for s in scores] == pytest.approx([0.05 / 0.3125**0.5, 0.05 / 2.3125**0.5], rel=1e-4)
    assert scores[1]["nrmse"] != pytest.approx(10 ** (-scores[1]["psnr_db"] / 20), rel=0.1)


def test_nrmse_under_sbd_is_of_the_clamped_image():
    """Clean 0.5 and 1.5, clamped to 0.5 and 1; the error of 0.1 is left where nothing is clamped."""
    true = np.tile(np.float32([0.5, 1.5]), (16, 8))
    error = np.sqrt(0.1**2 / 2) / np.sqrt((0.5**2 + 1) / 2)
    assert score(true, true - np.float32(0.1), "sbd")["nrmse"] == pytest.approx(error, rel=1e-4)
    assert score(8 * true, 8 * true - np.float32(0.8), "sbd", dose_scale=8.0)["nrmse"] == pytest.approx(error, rel=1e-4)
    raw = score(true, true - np.float32(0.1), "sbd", clamp=False)["nrmse"]
    assert raw == pytest.approx(0.1 / np.sqrt((0.5**2 + 1.5**2) / 2), rel=1e-4)


def test_a_clean_image_of_zeros_has_no_nrmse():
    black, grey = np.zeros((16, 16)), np.full((16, 16), 0.1)
    for protocol in ("sbd", "photo", "glyph"):
        with pytest.raises(ValueError, match="zero everywhere"):
            score(black, grey, protocol)
        assert score(black, black, protocol)["nrmse"] == 0


def test_stem_takes_each_channel_by_its_own_range(images):
    true, test = (image * np.float32([1, 100]) for image in images)
    each = [score(true[..., c], test[..., c], "stem") for c in range(2)]
    together = score(true, test, "stem")
    for name in together:
        assert together[name] == pytest.approx(np.mean([channel[name] for channel in each]))
    assert score(images[0][..., 1], images[1][..., 1], "stem") == pytest.approx(each[1], rel=1e-4)  # unit-free


def test_integers_score_as_the_same_values_in_float():
    true, test = np.random.default_rng(0).integers(0, 2, (2, 16, 16))
    for protocol in ("sbd", "stem", "photo", "glyph"):
        assert score(true, test, protocol) == score(true.astype("f8"), test.astype("f8"), protocol)


@pytest.mark.parametrize(
    "protocol, options, message",
    [
        ("uint8", {}, "unknown protocol"),
        ("movie", {}, "data_range"),
        ("stem", {"data_range": 1.0}, "data_range"),
        ("photo", {"clamp": False}, "clamp"),
        ("glyph", {"dose_scale": 2.0}, "dose_scale"),
    ],
)
def test_options_of_another_protocol_are_refused(images, protocol, options, message):
    with pytest.raises(ValueError, match=message):
        score(*images, protocol, **options)


def test_unscorable_images_are_refused(images):
    true, test = images
    for protocol in PROTOCOLS:
        options = {"data_range": 1.0} if protocol == "movie" else {}
        for bad in (np.nan, np.inf):
            broken = test.copy()
            broken[3, 4, 1] = bad
            with pytest.raises(ValueError, match="image_test holds 1 NaN"):
                score(true, broken, protocol, **options)
            with pytest.raises(ValueError, match="image_true holds 1 NaN"):
                score(broken, true, protocol, **options)
        with pytest.raises(ValueError, match="one shape"):
            score(true, test[:-1], protocol, **options)
    with pytest.raises(ValueError, match="constant"):
        score(np.ones((16, 16)), np.ones((16, 16)), "stem")
