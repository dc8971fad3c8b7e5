"""The whole path at the smallest size: simulate, train, stop, resume, denoise, record, table."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from stemjax import records, tables
from stemjax.apply.evaluate import denoise_all, image_set
from stemjax.cli import main
from stemjax.data import datasets, micrographs
from stemjax.data.micrographs import Selection
from stemjax.denoisers.supervised import Supervised
from stemjax.models import presets
from stemjax.networks import UNet
from stemjax.training.train import Optimiser, load_run, train
from tests.toys.micrographs import make_toy

RUN = {
    "imaging": micrographs.Imaging(sampling=0.2, counts=7.5),
    "crops": micrographs.Crops(size=32, count=4, render=256),
    "optimiser": Optimiser(learning_rate=5e-3, schedule="cosine", warmup=5),
    "steps": 30,
    "validate_every": 15,
    "validation_per_unit": 1,
}


@pytest.fixture
def data(request, tmp_path) -> datasets.DataSet:
    """Simulated where abTEM is installed, made without it where not."""
    try:
        import abtem  # noqa: F401
    except ImportError:
        return make_toy(tmp_path / "data")
    return datasets.open_data_set(request.getfixturevalue("smoke"))


def test_from_atoms_to_a_table(data, tmp_path, monkeypatch, capsys):
    from experiments import table_of
    from experiments.recorder import Recorder
    from experiments.workspace import Workspace

    monkeypatch.setenv("STEMJAX_CACHE", "")
    assert main(["verify", str(data.folder)]) == 0

    # Train, stopped at once by the time limit, then to the end.
    workspace = Workspace(tmp_path, tmp_path / "runs", tmp_path / "results")
    run = presets.sbd_run(Supervised(UNet(scales=2, width=4), centre=True), "smoke", data.recipe_hash, **RUN)
    stopped = train(run, data, workspace.runs, time_limit=0.0)
    assert stopped.stopped == "time limit" and 0 < stopped.step < run.steps
    outcome = train(run, data, workspace.runs)
    assert outcome.stopped is None and outcome.step == run.steps
    _, variables, info = load_run(outcome.folder)
    assert info["log"][-1]["step"] == run.steps

    # A file from the microscope, denoised by the run.
    test = image_set(data, Selection(), "test", 1, run.imaging)
    micrograph = tmp_path / "micrograph.tif"
    tifffile.imwrite(micrograph, test.noisy[0, ..., 0].astype(np.uint16), imagej=True)
    options = ["--model", str(outcome.folder), "--sampling", "0.2"]
    assert main(["denoise", str(micrograph), *options]) == 0
    denoised = tifffile.imread(tmp_path / "micrograph_denoised.tif")
    expected = denoise_all(run.denoiser, variables, test.noisy[:1])[0, ..., 0]
    np.testing.assert_allclose(denoised, expected, atol=1e-5)
    assert json.loads((tmp_path / "micrograph_denoised.json").read_text())["sampling_angstrom"] == 0.2

    # Records, and the table that they make.
    rows = Recorder("smoke", replace(workspace, experiment="quickstart"), data, test)
    constant = presets.PRESETS["constant"].denoiser
    raw = rows.add("Noisy image", constant, test.noisy, is_raw=True)
    mean = rows.add("Mean of the noisy image", constant, denoise_all(constant, {}, test.noisy))
    trained = rows.add_trained("UNet", run, variables, info, outcome)
    assert raw["scores"]["psnr_db"] < mean["scores"]["psnr_db"] < trained["scores"]["psnr_db"]
    assert trained["run"] == run.hash and trained["checkpoint"] == info["digest"]
    assert len(records.load(workspace.results / "records")) == 3
    assert main(["tables", "--results", str(workspace.results)]) == 0
    assert main(["tables", "--results", str(workspace.results), "--check"]) == 0
    table = (workspace.results / "tables" / "quickstart.smoke.md").read_text()
    assert table.index("UNet") < table.index("Mean of the noisy image") < table.index("Noisy image")
    assert f"{trained['scores']['psnr_db']:.2f}" in table and "shipped" not in table
    rows.add_trained("UNet, trained here", run, variables, info, outcome)
    rows.add("UNet, shipped with stemjax", constant, denoise_all(constant, {}, test.noisy))
    note = "The one shipped with stemjax, which `stemjax denoise` uses, was trained before, on another data set"
    rendered = tables.render(workspace.results, table_of)
    assert note in rendered[workspace.results / "tables" / "quickstart.smoke.md"].decode()
