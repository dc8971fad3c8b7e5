"""Configurations: tags that are written down, two forms, and one reader for both."""

import dataclasses
import importlib
import json
from pathlib import Path

import pytest

from stemjax import config, records
from stemjax.data import micrographs
from stemjax.data.images import Images
from stemjax.denoisers.gaussian import Gaussian
from stemjax.physics.noise import Gaussian as GaussianNoise
from stemjax.records.rebuild import imaging_of

ROOT = Path(__file__).resolve().parent.parent


def test_every_tag_is_of_one_class_where_the_table_says():
    tags = [tag for group in config.PLACES.values() for tag in group]
    assert len(set(tags)) == len(tags)
    for place, group in config.PLACES.items():
        for tag in group:
            cls = getattr(importlib.import_module(place), tag.rpartition(".")[2])
            assert dataclasses.is_dataclass(cls) and cls.__module__ == place


def test_both_forms_come_back():
    imaging = micrographs.Imaging(counts=3.0, noise=GaussianNoise(7.0))
    short, whole = config.to_config(imaging), config.to_config(imaging, complete=True)
    assert short["class"] == "batches.Imaging" and set(short) == {"class", "counts", "noise"}
    assert whole["class"] == "Imaging" and whole["noise"]["class"] == "Gaussian" and "margin" in whole
    for form in (short, whole):
        assert config.from_config(json.loads(json.dumps(form))) == imaging
    assert config.from_config(config.to_config(Gaussian(2.0))) == Gaussian(2.0)  # the filter, not the noise


def test_a_class_of_the_project_without_a_tag_is_an_error():
    with pytest.raises(TypeError, match=r"stemjax.data.images.Images has no tag in stemjax.config.PLACES"):
        config.to_config(Images((), ()))


def test_only_classes_of_the_table_are_made():
    @dataclasses.dataclass(frozen=True)
    class Mine:
        strength: float = 1.0

    mine = config.to_config(Mine(2.0))
    assert mine["class"].endswith("Mine") and mine["strength"] == 2.0
    for tag in (mine["class"], "pathlib.Path", "batches.device_arrays", "stemjax.data.micrographs.Imaging", ""):
        with pytest.raises(ValueError, match="unknown method or network"):
            config.from_config({"class": tag})


def test_the_images_and_methods_of_every_record_can_be_made():
    """But for those of methods that were mended, and of an experiment's own images."""
    own, before = set(), set()
    for record in records.load(ROOT / "results" / "records"):
        try:
            imaging = imaging_of(record)
            assert config.to_config(imaging, complete=True)["class"] == record["imaging"]["class"]
        except ValueError:
            own.add(record["imaging"]["class"])
        if record["denoiser"]:
            try:
                config.from_config(record["denoiser"])
            except ValueError as error:
                before.add(str(error).partition(" is from before")[0])
    assert own == {"NoiselessFrames"}
    assert before == {"noise2atom.Noise2Atom without 'adversarial'"}
