"""Every kind of data that a record names can be found or made again, or its command is said."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from stemjax import records
from stemjax.apply.evaluate import denoise_all, image_set, scores
from stemjax.cli.simulate import simulate
from stemjax.config import from_config, to_config
from stemjax.data import glyphs
from stemjax.data.glyphs import GlyphImaging, Glyphs
from stemjax.data.kinds import KINDS
from stemjax.data.photographs import EveryPhotograph, PhotographImaging, Photographs, open_photographs
from stemjax.models.presets import find_preset
from stemjax.records import rebuild

RESULTS = Path(__file__).resolve().parents[2] / "results"
EVERY = records.load(RESULTS / "records")
CURRENT = records.current(EVERY)
WITHOUT_FOLDER = [name for name, kind in KINDS.items() if kind.make]
OF_EXPERIMENTS = ("NoiselessFrames",)  # imaging and noise that experiments have for themselves


@pytest.mark.parametrize("name", sorted({record["data_set"]["name"] for record in CURRENT}))
def test_the_data_of_every_record_are_found_or_their_command_is_said(name, tmp_path):
    record = next(record for record in CURRENT if record["data_set"]["name"] == name)
    expected, size = record["data_set"]["recipe_hash"], record["size"]
    if name not in WITHOUT_FOLDER:
        with pytest.raises(OSError, match=f"no data set {name} here; make it first: stemjax simulate ") as raised:
            rebuild.find_data(name, expected, size, tmp_path)
        verb, kind, *_ = shlex.split(str(raised.value).partition("stemjax simulate ")[2])
        assert verb in simulate and (verb == "movies") == (kind in ("pt", "au", "co", "sbd"))
        return
    try:
        data = rebuild.find_data(name, expected, size, tmp_path)
    except (OSError, ValueError) as error:  # the font of the characters is not everywhere
        assert name == "glyphs" and re.search(
            "no font .* is installed; install one|another version of the font", str(error)
        )
    else:
        assert (data.name, data.recipe_hash) == (name, expected)


def test_the_images_of_every_record_have_a_class_and_those_without_a_folder_no_other_conditions():
    for record in CURRENT:
        if not any(name in str(record["imaging"]) for name in OF_EXPERIMENTS):
            assert type(rebuild.imaging_of(record)).__name__ == record["imaging"]["class"]
        if record["data_set"]["name"] in (*WITHOUT_FOLDER, "lattice"):
            assert set(record["conditions"]) <= rebuild.PLAIN


def test_the_configuration_of_every_record_is_rebuilt():
    """Of superseded ones, too. Refused are a method as it was before it was mended, and frames without noise."""
    for record in EVERY:
        try:
            rebuild.imaging_of(record)
        except ValueError as error:
            assert record["experiment"] == "n2v_simulation_check" and "'NoiselessFrames'" in str(error)
        if not record["denoiser"]:
            continue
        try:
            denoiser = from_config(record["denoiser"])
        except ValueError as error:
            assert "Noise2Atom without 'adversarial' is from before it was mended" in str(error)
        else:
            assert to_config(denoiser) == record["denoiser"]


def test_other_pictures_than_those_of_a_record_are_refused():
    with pytest.raises(ValueError, match="scikit-image-photographs: recipe .* but 0000 is expected; another version"):
        rebuild.find_data("scikit-image-photographs", "0000", "cpu")


def drawn(data, selection, split: str, imaging, **conditions):
    """(record, rows of its scores, image set) of the noisy images of a split."""
    made = image_set(data, selection, split, 1, imaging)
    rows = scores(made.noisy, made, clamp=False)
    facts = {"experiment": "any", "method": "Noisy", "denoiser": None, "protocol": imaging.protocol, "size": "cpu"}
    found = records.new_record(**facts, data_set=data, imaging=imaging, scores=rows, conditions=conditions)
    return found | {"id": "0" * 64}, rows, made


def test_photographs_are_made_again():
    record, rows, made = drawn(open_photographs(), EveryPhotograph(), "test", PhotographImaging(), sigma_255=30)
    again = rebuild.image_set(record, rows, open_photographs())
    np.testing.assert_array_equal(again.noisy, made.noisy)
    assert again.name == made.name
    with pytest.raises(ValueError, match="has no image 'nowhere.png-0-0'"):
        rebuild.image_set(record, [rows[0] | {"image": "nowhere.png-0-0"}], open_photographs())


@pytest.mark.parametrize("pictures, split", [("characters", "test"), (glyphs.STROKES, glyphs.STROKES)])
def test_characters_are_made_again_with_the_gain_of_the_record(pictures, split):
    rng = np.random.default_rng(0)
    images = {name: rng.integers(0, 256, (16, 16), np.uint8) for name in ("U+1", "U+2", "U+3")}
    splits = {"train": ("U+1",), "validation": ("U+2",), "test": ("U+3",), glyphs.STROKES: ("U+1", "U+2")}
    data = Photographs("glyphs", images, splits, alike=(glyphs.STROKES,))
    record, rows, made = drawn(data, Glyphs(), split, GlyphImaging(), pictures=pictures)
    again = rebuild.image_set(record, rows, data)
    np.testing.assert_array_equal(again.noisy, made.noisy)
    denoised = denoise_all(find_preset("gaussian").denoiser, {}, again.noisy)
    record["scores"] |= {"gain": 2.0, "offset": -0.5}
    assert rebuild.scored(record, denoised, again, data) == scores(2 * denoised - 0.5, again, clamp=False)
