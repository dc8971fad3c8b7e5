"""Figure 10 of the Noise2Void paper: differences between networks on the movies of another session."""

import numpy as np
import pytest

from experiments.n2v.figure_10 import FRESH, OLD, ROWS, table
from stemjax.data.images import Frames
from tests.toys.au_graphene import make_movies
from tests.toys.frames import frames_of, template

LEVELS = {7.0: 25.0, 16.0: 33.0}  # noise -> PSNR of the network that saw all of b [dB]


def made_up(movies: int):
    found, scores = [], {}
    for level, best in LEVELS.items():
        for place, method in enumerate(ROWS):
            adf = best - 0.3 * (len(ROWS) - 1 - place)
            rows = frames_of(adf, adf - 4, movies)
            record = template() | {"id": f"{level:g} {method}", "method": method}
            record["scores"] = {name: 0.0 for name in rows[0] if name not in ("image", "unit")}
            record |= {"conditions": {"input_psnr_db": level}, "learning_curve": [{"crops": 9600}], "seed": 0}
            found.append(record)
            scores[record["id"]] = rows
    return found, scores


def test_every_network_is_beside_the_one_that_saw_everything():
    made = table(*made_up(movies=12))
    assert [grid.columns[0] for grid in made.grids] == ["Noise of 7 dB", "Noise of 16 dB"]
    figures = {(f["input_psnr_db"], f["method"]): f for f in made.data}
    old = figures[7.0, OLD]
    assert old["adf_psnr_db"] == pytest.approx(24.1) and old["bf_above_db"] == pytest.approx(-0.9)
    assert old["adf_above_db_low"] == old["adf_above_db_high"] == pytest.approx(-0.9)  # all movies differ alike
    assert old["adf_psnr_db_low"] < 24.1 < old["adf_psnr_db_high"]
    assert "adf_above_db" not in figures[16.0, FRESH]
    assert "-0.90 [-0.90, -0.90]" in made.markdown() and "9,600 crops" in made.markdown()


def test_few_movies_have_no_interval():
    text = table(*made_up(movies=4)).markdown()
    assert "no intervals" in text and "-0.90 |" in text and "[-0.90" not in text


def test_frames_between_those_of_training_are_held_out(tmp_path):
    data, frames = make_movies(tmp_path), Frames(stride=2, held_out=True, movies=2)
    train, validation = (frames.images(data, split) for split in ("train", "validation"))
    np.testing.assert_array_equal(train.item, validation.item)
    assert sorted({*train.frame}) == [0, 2, 4] and sorted({*validation.frame}) == [1, 3, 5]
    plain = Frames(stride=2).images(data, "validation")
    assert {data.items[item]["split"] for item in plain.item} == {"validation"}
