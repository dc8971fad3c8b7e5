"""Characters in noise: which, from which font, how they are split, and their noise."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.apply.evaluate import image_set
from stemjax.data import glyphs
from stemjax.data.crops import MovieCrops
from stemjax.data.glyphs import ClippedUniform, GlyphImaging, Glyphs
from stemjax.data.images import TEST_NOISE, clean_and_noisy

MATPLOTLIBS_FONT = "DejaVu Sans"  # comes with matplotlib; it has no Chinese


@pytest.fixture(scope="module")
def data():
    try:
        return glyphs.open_glyphs(count=40)
    except OSError as error:
        pytest.skip(f"no font to draw with: {error}")


@pytest.fixture(scope="module")
def drawn_by_hand():
    """The same kind of data set without any font, so that what follows is tested everywhere."""
    rng = np.random.default_rng(0)
    images = {f"U+{i}": (255 * (rng.uniform(size=(64, 64)) < 0.2)).astype(np.uint8) for i in range(6)}
    names = tuple(images)
    return glyphs.Photographs("glyphs", images, {"train": names[:4], "validation": names[4:5], "test": names[5:]})


def test_characters_are_spread_over_the_block():
    some = glyphs.characters(100)
    assert len(set(some)) == 100 and min(some) < "\u4f00" and max(some) > "\u9e00"
    assert len(glyphs.characters(20_902)) == 20_902
    with pytest.raises(ValueError, match="20903 characters: choose 1 to 20902"):
        glyphs.characters(20_903)


def test_a_font_that_is_missing_or_lacks_characters_is_named():
    with pytest.raises(OSError, match="no font 'Nowhere Sans' is installed; install one"):
        glyphs.glyph_images("Nowhere Sans", 3)
    with pytest.raises(OSError, match=r"test_glyphs.py: not a font that can be read; give a .ttf, .otf or .ttc file"):
        glyphs.glyph_images(__file__, 3)
    from matplotlib import font_manager

    path = font_manager.findfont(MATPLOTLIBS_FONT)
    with pytest.raises(OSError, match=r"DejaVuSans.ttf: lacks 2 of 2 characters \(.*; choose a font that has them"):
        glyphs.glyph_images(path, 2)
    letters = glyphs.draw_characters(path, "lH", 64)
    assert letters.shape == (2, 64, 64) and letters.dtype == np.uint8 and letters.max() == 255
    for letter in letters:  # in the middle, dark at the border
        rows, columns = np.nonzero(letter)
        assert abs(rows.min() + rows.max() - 63) < 16 and abs(columns.min() + columns.max() - 63) < 16
        assert not letter[0].any() and not letter[:, 0].any()


def font_files() -> list[str]:
    """What matplotlib ships of DejaVu Sans, the bold one first, as a sorted list of installed fonts has it."""
    from matplotlib import get_data_path

    return [f"{get_data_path()}/fonts/ttf/DejaVuSans{style}.ttf" for style in ("-Bold", "-Oblique", "", "Mono")]


def test_the_plain_style_of_a_family_is_taken(monkeypatch):
    files = font_files()
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: [__file__, *files])
    assert glyphs.find_font("dejavu sans") == next(glyphs.read_faces(Path(files[2])))
    faces = [glyphs.Face(Path(style), 0, (("sans", style),)) for style in ("bold", "medium", "italic", "regular")]
    assert [glyphs.choose_face(faces[:n], "Sans").path.name for n in (1, 2, 4)] == ["bold", "medium", "regular"]
    assert glyphs.choose_face(faces, "Serif") is None


def test_every_face_of_a_collection_is_found_and_drawn(monkeypatch, tmp_path):
    from fontTools.ttLib import TTCollection, TTFont

    collection, (bold, *_, mono) = TTCollection(), font_files()
    collection.fonts = [TTFont(bold), TTFont(mono)]
    collection.save(tmp_path / "two.ttc")
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: [str(tmp_path / "two.ttc")])
    face = glyphs.find_font("DejaVu Sans Mono")
    assert (face.path.name, face.index) == ("two.ttc", 1) and glyphs.find_font(MATPLOTLIBS_FONT).index == 0
    for family, file in (("DejaVu Sans Mono", mono), (MATPLOTLIBS_FONT, bold), (str(face.path), bold)):
        drawn = glyphs.draw_characters(family, "il")
        np.testing.assert_array_equal(drawn, glyphs.draw_characters(file, "il"))


def test_the_font_of_the_paper(data):
    assert [len(data.splits[split]) for split in ("train", "validation", "test")] == [32, 4, 4]
    parts = [set(data.splits[split]) for split in ("train", "validation", "test")]
    assert len(set.union(*parts)) == 40
    clean = GlyphImaging().clean_images(data, Glyphs().images(data, "train"))
    assert clean.shape == (32, 64, 64, 1) and clean.min() == 0 and clean.max() == 1
    variance = clean.var((1, 2, 3))
    assert ((variance > 0.02) & (variance < 0.25)).all()  # none is empty or a filled box
    assert len({image.tobytes() for image in clean}) == 32
    assert 10 * np.log10(variance.mean() / (4 / 3)) == pytest.approx(-10, abs=1.5)


def test_size_smoke_needs_no_font_installed(monkeypatch):
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: [])
    data = glyphs.glyphs_of_size("smoke")
    assert [len(data.splits[split]) for split in ("train", "validation", "test")] == [32, 4, 4]
    assert len({image.tobytes() for name, image in data.images.items() if name.startswith("U+04")}) == 40
    with pytest.raises(OSError, match="no font 'WenQuanYi Zen Hei' is installed"):
        glyphs.glyphs_of_size("cpu")
    with pytest.raises(OSError, match="no font 'Nowhere Sans' is installed"):
        glyphs.glyphs_of_size("smoke", "Nowhere Sans")


def test_too_few_characters_for_three_splits_are_refused():
    with pytest.raises(ValueError, match="4 characters: too few to train, validate and test with"):
        glyphs.open_glyphs(MATPLOTLIBS_FONT, 4)


def test_five_even_strokes():
    picture = glyphs.strokes()
    assert picture.shape == (64, 64) and picture.min() == 0 and picture.max() == 1
    across = picture[np.arange(64), np.arange(64)]  # the diagonal across them
    starts = np.flatnonzero((across[1:] > 0.5) & (across[:-1] <= 0.5))
    assert len(starts) == 5 and np.ptp(np.diff(starts)) <= 1
    np.testing.assert_allclose(picture, picture.T, atol=1e-6)  # each runs from lower left to upper right
    np.testing.assert_allclose(picture, picture[::-1, ::-1], atol=1e-6)
    assert np.flatnonzero(glyphs.strokes(3)[np.arange(64), np.arange(64)]).size < np.flatnonzero(across).size


def test_the_noise_is_uniform_clipped_and_rescaled_to_0_to_1():
    clean = jnp.zeros((2, 400, 400, 1)).at[:, 200:].set(1)
    noisy = np.asarray(ClippedUniform(2.0).sample(jax.random.key(0), clean))
    assert noisy.min() == 0 and noisy.max() == 1
    ground, ink = noisy[:, :200], noisy[:, 200:]
    # max(clean + u, 0) / 3, u uniform from -2 to 2
    np.testing.assert_allclose([ground.mean(), ink.mean()], [0.5 / 3, 1.125 / 3], atol=2e-3)
    np.testing.assert_allclose([(ground == 0).mean(), (ink == 0).mean()], [0.5, 0.25], atol=5e-3)
    np.testing.assert_allclose(np.median(ink), 1 / 3, atol=5e-3)


def test_a_character_is_recorded_once_and_a_batch_repeats_it(drawn_by_hand):
    imaging, chosen = GlyphImaging(), Glyphs().images(drawn_by_hand, "train")
    arrays = imaging.device_arrays(drawn_by_hand, chosen)
    alone = imaging.device_arrays(drawn_by_hand, chosen.part(slice(2, 3)))
    np.testing.assert_array_equal(alone["noisy"][0], arrays["noisy"][2])
    recorded = {np.asarray(image).tobytes() for image in arrays["noisy"]}
    assert len(recorded) == 4
    for step in range(3):
        batch = MovieCrops(size=64, count=4).batch(arrays, jax.random.key(0), jnp.int32(step), None, imaging)
        assert {np.asarray(image).tobytes() for image in batch["noisy"]} <= recorded
        np.testing.assert_allclose(batch["span"], 1, atol=1e-6)


def test_test_characters_have_noise_of_their_own_and_are_scored_as_glyphs(drawn_by_hand):
    test = image_set(drawn_by_hand, Glyphs(), "test", 1, GlyphImaging())
    assert len(test) == 1 and test.name == ["U+5"] and test.imaging.contract() == {"protocol": "glyph"}
    assert test.clean.max() == 1 and 0 == test.noisy.min() < test.noisy.max() <= 1
    again = clean_and_noisy(drawn_by_hand, test.images, GlyphImaging(), TEST_NOISE)[1]
    np.testing.assert_array_equal(again, test.noisy)
