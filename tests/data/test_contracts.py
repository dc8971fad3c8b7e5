"""What every kind of data promises: the same tests for all of them, on tiny data sets that need no simulation."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from simulation import make_data_set
from stemjax import config
from stemjax.apply.evaluate import image_set, scores
from stemjax.cli.simulate import simulate
from stemjax.data.glyphs import STROKES
from stemjax.data.images import images_named
from stemjax.data.kinds import KINDS, Kind, kind_of
from stemjax.data.photographs import Photographs
from stemjax.models.presets import LEARNS_FROM, PRESETS
from tests.toys.atoms import make_toy_stills
from tests.toys.au_graphene import make_movies
from tests.toys.haadf_pt import make_toy_haadf
from tests.toys.hrtem_movies import make_toy_hrtem
from tests.toys.micrographs import make_toy

SIDE = 16  # px, of crops


def drawn() -> Photographs:
    """Ten pictures in the place of characters."""
    pictures = np.random.default_rng(0).integers(0, 256, (10, 64, 64), np.uint8)
    images = {f"U+{number}": picture for number, picture in enumerate(pictures)}
    names = tuple(images)
    splits = {"train": names[:4], "validation": names[4:6], "test": names[6:8], STROKES: names[8:]}
    return Photographs("glyphs", images, splits, alike=(STROKES,))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict:
    """Kind -> a data set of it: a toy, where it takes too long to make the real thing at size smoke."""
    folder = tmp_path_factory.mktemp("kinds")
    exit_waves, movies = make_toy(folder / "waves"), make_toy_hrtem(folder / "hrtem")
    toys = {"pt-ceo2": exit_waves, "pt-ceo2-surface": exit_waves, "au-graphene": make_movies(folder / "graphene")}
    toys |= {"haadf-pt": make_toy_haadf(folder / "haadf"), "atoms": make_toy_stills(folder / "atoms")}
    toys |= {f"movies-{metal}": movies for metal in ("pt", "au", "co", "sbd")}
    toys |= {"glyphs": drawn()}
    others = [kind for kind in KINDS.values() if kind.name not in toys]
    return toys | {
        kind.name: kind.make("cpu") if kind.make else make_data_set(kind.name, folder / kind.name, "smoke")
        for kind in others
    }


every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@every_kind
def test_clean_and_noisy_images_are_alike_and_those_of_a_subset_the_same(kind: Kind, data):
    test = image_set(data[kind.name], kind.selection, "test", 2, kind.imaging)
    assert test.clean.shape == test.noisy.shape and test.clean.shape[-1] == len(kind.imaging.channels)
    assert test.clean.dtype == test.noisy.dtype == np.float32 and np.isfinite(test.noisy).all()
    assert not np.array_equal(test.clean, test.noisy)
    part = test.images.part([len(test) - 1])
    alone = kind.imaging.clean_images(data[kind.name], part)
    np.testing.assert_allclose(alone[0], test.clean[-1], rtol=1e-5, atol=1e-6 * np.abs(test.clean).max())
    if hasattr(kind.imaging, "noisy_images"):
        one = kind.imaging.noisy_images(data[kind.name], part)[0]
        np.testing.assert_allclose(one, test.noisy[-1], rtol=1e-4, atol=1e-4 * np.abs(test.clean).max())


@every_kind
def test_an_image_is_known_by_its_name(kind: Kind, data):
    images = kind.selection.images(data[kind.name], "test")
    names = images.names(data[kind.name])
    assert len(set(names)) == len(names) == len(images)
    again = images_named(data[kind.name], names)
    for field in ("item", "unit", "defocus", "frame", "corner"):
        np.testing.assert_array_equal(getattr(again, field), getattr(images, field))
    with pytest.raises(ValueError, match="has no image 'nobody'"):
        images_named(data[kind.name], ["nobody"])


@every_kind
def test_noise_has_the_mean_of_the_clean_image(kind: Kind, data):
    """But for noise that is clipped at zero, as that of characters is by design."""
    if kind.name == "glyphs":
        pytest.skip("the noise of the paper is clipped, which moves its mean")
    test = image_set(data[kind.name], kind.selection, "test", 1, kind.imaging)
    difference = test.noisy.astype(float) - test.clean
    error = difference.std() / np.sqrt(difference.size)
    assert abs(difference.mean()) < 5 * error


@every_kind
def test_scores_follow_the_contract_of_the_imaging(kind: Kind, data):
    test = image_set(data[kind.name], kind.selection, "test", 1, kind.imaging)
    rows = scores(test.noisy, test)
    assert kind.imaging.contract()["protocol"] == kind.imaging.protocol
    assert [row["image"] for row in rows] == test.name and all(np.isfinite(row["psnr_db"]) for row in rows)
    assert {row["unit"] for row in rows} <= {item["unit"] for item in data[kind.name].items}


@every_kind
def test_a_batch_is_a_function_of_key_and_step(kind: Kind, data):
    found, crops = data[kind.name], replace(kind.crops, size=SIDE, count=2)
    if "render" in vars(crops):
        crops = replace(crops, render=128)
    arrays = kind.imaging.device_arrays(found, kind.selection.images(found, "train"))
    batch = jax.jit(lambda key, step: crops.batch(arrays, key, step, found.band, kind.imaging))
    first, again, other = (batch(jax.random.key(0), step) for step in (3, 3, 4))
    assert first["noisy"].shape[0] == 2 and SIDE in first["noisy"].shape
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
        assert np.isfinite(first[name]).all()
    assert not np.array_equal(first["noisy"], other["noisy"])
    if "clean" in first:
        assert first["clean"].shape == first["noisy"].shape


@every_kind
def test_its_parts_are_written_and_read_back(kind: Kind):
    for part in (kind.imaging, kind.selection, kind.crops):
        assert config.from_config(config.to_config(part)) == part


@every_kind
def test_somebody_can_make_it(kind: Kind):
    assert kind.about.endswith(".") and kind.unit
    assert (kind.make is None) == bool(kind.simulate)
    if kind.simulate:
        verb, *rest = kind.simulate.split()
        assert kind.maker or kind.name == "atoms"  # which is made of other data sets
        assert verb in simulate and (verb == "movies") == (rest == [kind.name.removeprefix("movies-")])


def test_a_data_set_of_an_unknown_kind_is_refused_by_name(data):
    assert kind_of(data["lattice"]) is KINDS["lattice"]
    with pytest.raises(ValueError, match="sand: a data set of the unknown kind sand; there are atoms, "):
        kind_of(replace(drawn(), name="sand"))


def test_every_preset_that_learns_has_a_kind_to_learn_from():
    for name, preset in PRESETS.items():
        if hasattr(preset.denoiser, "init"):
            kind = KINDS[LEARNS_FROM[preset.recipe]]
            assert type(preset.run("cpu", "0" * 16).imaging) is type(kind.imaging), name
