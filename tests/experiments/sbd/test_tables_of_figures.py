"""Tables of Figures 3.2, 4.1 and A: from records to what is printed."""

import io

import pytest
from skimage.io import imread

from experiments import table_of
from stemjax import records, tables
from stemjax.data.micrographs import Imaging
from stemjax.denoisers.supervised import Supervised
from stemjax.networks import DURR, UNet
from stemjax.physics.noise import Poisson, PoissonGaussian
from tests.toys.records import a_record


def add(results, rows, **changes):
    facts = {"denoiser": None, "tuning": None, "conditions": {}} | changes
    records.append(results / "records", a_record(rows, **facts), rows)


def rendered(results, name) -> tuple[str, dict]:
    contents = {path.name: content for path, content in tables.render(results, table_of).items()}
    return contents[f"{name}.cpu.md"].decode(), contents


def test_noise_is_printed_against_what_was_put_in(tmp_path):
    camera = PoissonGaussian(gain=1.3, offset=2.0, read_noise=0.5)
    for method, noise, found in (("Electron counting", Poisson(), 1.0), ("A camera", camera, 0.0)):
        rows = [
            {"image": f"i{n}", "unit": f"u{n}", "mean_counts": 0.5, "dispersion": 1.0, "gain": 1.0 + n / 100}
            | {"offset": 0.0, "read_variance": 0.0, "is_poisson": found}
            | ({"p_value": 0.2 + n / 10} if found else {})
            for n in range(3)
        ]
        conditions = {"frames": 40}
        add(
            tmp_path,
            rows,
            experiment="sbd_figure_4_1",
            method=method,
            imaging=Imaging(noise=noise),
            conditions=conditions,
        )
    text, _ = rendered(tmp_path, "sbd_figure_4_1")
    counting, camera = (line for line in text.splitlines() if line.startswith(("| Electron", "| A camera")))
    assert "3 of 3" in counting and "0.2 |" in counting and "1.010 (1)" in counting
    # variance 1.3² 0.5 + 0.5² = 1.095 over mean 1.3 x 0.5 + 2 = 2.65
    assert "0 of 3" in camera and "not counts" in camera and "1.000 (0.413)" in camera and "(1.3)" in camera


@pytest.mark.parametrize(
    ("network", "bias_free"), [(UNet(4, 16), True), (UNet(4, 16, bias=True), False), (DURR(8), False)]
)
def test_gradients_are_printed_site_by_site(tmp_path, network, bias_free):
    for site in ("vacuum", "bulk", "surface"):
        rows = [
            {"image": f"i{n}", "unit": f"u{n}", "fov50_px": 9.0, "fov90_px": 25.0, "fov99_px": 31.0 + 2 * n}
            | {"support_px": 221.0, "intercept_counts": -0.1 * n}
            for n in range(3)
        ]
        facts = {"denoiser": Supervised(network), "field_of_view": 221, "method": "SBD + UNet"}
        add(tmp_path, rows, experiment="sbd_figure_3_2", conditions={"pixel": site}, **facts)
    text, contents = rendered(tmp_path, "sbd_figure_3_2")
    lines = [line for line in text.splitlines() if line.startswith("| SBD")]
    assert [line.split("|")[2].strip() for line in lines] == ["bulk", "surface", "vacuum"]
    assert all("| 33 |" in " ".join(line.split()) and "0.200" in line for line in lines)
    assert all(("(bias-free)" in line) == bias_free for line in lines)
    assert imread(io.BytesIO(contents["sbd_figure_3_2.cpu.fov.png"])).shape[0] > 500


def test_panels_stand_in_the_order_of_the_figures(tmp_path):
    for figure, labels in (("A.5", ["D0"]), ("A.1", ["0 nm", "10 nm"])):
        rows = [
            {"image": f"i-{label}", "unit": "u", "label": label, "minimum_counts": 1.0, "maximum_counts": 2.0}
            | {"mean_counts": 1.8, "contrast": 0.1, "ncc_pt": -0.5, "ncc_ce": 0.5}
            for label in labels
        ]
        add(tmp_path, rows, experiment="sbd_figures_a", method=f"Figure {figure}", split="any")
    text, contents = rendered(tmp_path, "sbd_figures_a")
    panels = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| Figure")]
    assert panels == ["Figure A.1: 0 nm", "Figure A.1: 10 nm", "Figure A.5: D0"]
    assert imread(io.BytesIO(contents["sbd_figures_a.cpu.reversal.png"])).shape[0] > 500
