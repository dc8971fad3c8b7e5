"""Ablations, chequerboards and the dual network of the Noise2Void paper: what differs, and figures computed by hand."""

import io

import jax
import numpy as np
import pytest
from skimage.io import imread

from experiments import table_of
from experiments.n2v import ablation as n2v_ablation
from experiments.n2v import figure_2 as n2v_figure_2
from stemjax.config import to_config
from stemjax.records.scores import means
from tests.toys.frames import frames_of, template

CURVE = [{"crops": c, "validation_psnr_db": 24.0 + c / 800, "validation_loss": 0.12 - c / 1e6} for c in (800, 1600)]
NETWORK = {"run": "0" * 16, "seed": 0, "parameters": 491_778, "field_of_view": 113, "learning_curve": CURVE}


class Records:
    """Made-up records of one experiment."""

    def __init__(self, experiment: str):
        self.experiment, self.found, self.scores = experiment, [], {}

    def add(self, method: str, rows: list[dict], conditions: dict, **facts):
        imaging = {"noise": {"class": "Gaussian", "psnr_db": 7.0}}
        same = {"id": f"{len(self.found):064x}", "method": method, "imaging": imaging, "images": len(rows)}
        units = sorted({row["unit"] for row in rows})
        self.found.append(template() | same | {"units": units, "conditions": conditions, "scores": means(rows)} | facts)
        self.scores[same["id"]] = rows

    def table(self):
        return table_of(self.experiment)(self.found, self.scores)


# ---------------------------------------------------------------------------------------------------- what is trained
def flat(config: dict, above: str = "") -> dict:
    parts = [flat(v, f"{above}{k}.") if isinstance(v, dict) else {f"{above}{k}": v} for k, v in config.items()]
    return {name: value for part in parts for name, value in part.items()}


@pytest.mark.parametrize("size", ["smoke", "cpu", "gpu"])
def test_a_variant_differs_in_one_thing(size):
    (_, _, standard), *others = n2v_ablation.variants(size)
    reference, seen = flat(to_config(standard)), set()
    for part, method, denoiser in others:
        config = flat(to_config(denoiser))
        changed = {name for name in config | reference if config.get(name) != reference.get(name)}
        assert len(changed) == 1 or (part == "mask" and changed == {"pitch", "jitter"}), (method, changed)
        seen.add(part)
    masks = 1 if size == "gpu" else 2  # other than the standard one
    assert len(others) == 10 + masks and len(seen) == 9  # two other depths and fills, and one of each of the rest


def test_chequerboards_share_trainings_with_the_ablation():
    ablated = {method: denoiser for _, method, denoiser in n2v_ablation.variants("cpu")}
    found = dict(n2v_figure_2.denoisers("cpu"))
    assert found["Random grid, resized"] == ablated["Standard"]
    assert found["Random grid, transposed"] == ablated["Transposed convolutions"]


@pytest.mark.parametrize(("size", "pixels"), [("cpu", 64), ("gpu", 256)])
def test_only_jitter_reaches_odd_rows(size, pixels):
    found = dict(n2v_figure_2.denoisers(size))
    grid = jax.jit(lambda denoiser: denoiser._grid(jax.random.key(0), pixels, pixels)[0], static_argnums=0)
    fixed, jittered = (np.asarray(grid(found[f"{name} grid, resized"])) % 2 for name in ("Fixed", "Jittered"))
    assert not fixed.any() and 0.3 < jittered.mean() < 0.7


# ---------------------------------------------------------------------------------------------------- tables
def ablation(movies: int = 12):
    found = Records("n2v_ablation")
    found.add("Noisy", frames_of(7.0, 7.0, movies), {}, denoiser={})
    config = to_config(next(n2v_ablation.variants("cpu"))[2])
    for method, adf, bf in (("ASPP", 29.0, 22.5), ("Fill: median", 29.5, 23.0), ("Standard", 29.5, 22.75)):
        conditions = {"part": "any", "crop_px": 64}
        found.add(method, frames_of(adf, bf, movies), conditions, **NETWORK | {"denoiser": config})
    return found.table()


def test_variants_are_compared_with_the_standard():
    table = ablation()
    lines = {row[0]: row for row in table.grids[0].rows}
    assert list(lines) == ["Noisy", "Standard", "ASPP", "Fill: median"]
    aspp = ("491,778", "113", "29.00", "-0.50 [-0.50, -0.50]", "22.50", "-0.25 [-0.25, -0.25]", "worse")
    assert lines["ASPP"][1:] == aspp
    assert lines["Fill: median"][-2:] == ("+0.25 [+0.25, +0.25]", "nothing")
    assert lines["Standard"][4] == lines["Noisy"][4] == lines["Noisy"][-1] == ""
    text = table.markdown()
    assert "depth 3, 16 features" in text and "one pixel in 4 masked" in text and "One seed" in text
    assert "above the 64 px" in text and imread(io.BytesIO(table.plots["differences"]())).shape[0] > 300
    few = ablation(movies=3)
    assert few.grids[0].rows[2][4] == "-0.50" and "3 movies: too few for intervals" in few.markdown()
    assert imread(io.BytesIO(few.plots["differences"]())).shape[0] > 300


def test_chequerboards_are_printed_against_the_worst_case():
    found = Records("n2v_figure_2")
    denoisers = {name: to_config(denoiser) for name, denoiser in n2v_figure_2.denoisers("cpu")}
    energies = dict(zip(denoisers, (9.0, 6.0, 3.0, 1.0, 2.0, 0.5), strict=True))

    def energy(level: float) -> dict:
        return {f"{channel}_chequerboard{pitch}_db": level for channel in ("adf", "bf") for pitch in ("", "_2", "_4")}

    for part in ("frame", "error"):
        conditions = {"measured_on": part, "grid_step_px": 6, "jitter_px": 2}
        if part == "frame":
            bare = [{"image": row["image"], "unit": row["unit"]} | energy(-3.0) for row in frames_of(0, 0)]
            found.add("Clean", bare, conditions)
        for method, level in energies.items():
            rows = [row | energy(level) for row in frames_of(29.0, 22.0)]
            found.add(method, rows, conditions, **NETWORK | {"denoiser": denoisers[method]})
    table = found.table()
    assert [grid.columns[0] for grid in table.grids] == [
        f"{channel}: {part}" for part in ("denoised frames", "denoised - clean") for channel in ("ADF", "BF")
    ]
    assert table.grids[0].columns[2:5] == ("poolings, 2 px", "poolings, 4 px", "mask, 6 px")
    clean, worst, *_, standard = table.grids[0].rows
    assert clean == ("Clean", "", "-3.0", "-3.0", "-3.0", "")
    assert worst[2] == "+9.0" and worst[-1] == "" and standard[-1] == "-8.50 [-8.50, -8.50]"
    assert len(table.grids[2].rows) == 6  # no clean frames among the errors
    assert "in 6 x 6" in table.markdown() and "in 2 x 2, moved" in table.markdown()


def test_the_pair_of_single_networks_is_added_up():
    found = Records("n2v_figure_s4")
    found.add("Constant", frames_of(24.0, 20.0), {"channels": "adf + bf"}, denoiser={})
    found.add("Dual network", frames_of(29.5, 22.5), {"channels": "adf + bf"}, **NETWORK)
    for channel, level in (("adf", 29.25), ("bf", 22.75)):
        rows = [
            {name: row[name] for name in ("image", "unit", "ssim", "nrmse")} | {"psnr_db": row[f"{channel}_psnr_db"]}
            for row in frames_of(level, level)
        ]
        own = NETWORK | {"parameters": 490_000, "learning_curve": [p | {"validation_loss": 0.0625} for p in CURVE]}
        found.add(f"Single network, {channel.upper()}", rows, {"channels": channel}, **own)
    table = found.table()
    pair = table.grids[0].rows[-1]
    assert pair == ("Two single networks", "980,000", "29.25", "0.500", "22.75", "0.500", "0.1250")
    assert table.grids[1].rows == (("ADF", "+0.25 [+0.25, +0.25]"), ("BF", "-0.25 [-0.25, -0.25]"))
    assert table.data[1]["validation_loss"] == pytest.approx(0.1184)
    for plot in table.plots.values():
        assert imread(io.BytesIO(plot())).shape[0] > 300
