"""Quickstart: simulate, train for a minute, compare, look.

    make quickstart

Ten exit waves of Pt on CeO2, a UNet of 88 thousand parameters trained on six of them for about a minute, and the usual
filters with their default parameters and tuned. Expect the network trained here to beat the constant image, every
filter at its defaults and, by 1 to 2 dB, the tuned ones, on structures it never saw.
"""

import time
from pathlib import Path

from experiments import table_of
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import records, tables
from stemjax.apply.evaluate import denoise_all, image_set, tune
from stemjax.data.micrographs import Selection
from stemjax.metrics import bootstrap
from stemjax.models import presets
from stemjax.networks.weights import parameter_count
from stemjax.tables import wording
from stemjax.tables.rows import gather
from stemjax.tables.table import Grid, Table
from stemjax.training import recipes

NAME = "quickstart"
TIMES = {"smoke": "3 min on 2 cores"}
IMAGES_PER_UNIT = 4
STEPS = 640
UNTUNED = {
    "constant": "Mean of the noisy image",
    "low-pass": "Low-pass filter, untuned",
    "wiener": "Wiener filter, untuned",
    "gaussian": "Gaussian filter, untuned",
    "tv": "Total variation, untuned",
}
TUNED = {"gaussian": "Gaussian filter, tuned", "tv": "Total variation, tuned"}


def run(size: str, workspace: Workspace) -> Recorder:
    """Fill the workspace: data set, trained network, records, table and figures."""
    print("1. Simulating ten exit waves of Pt on CeO2 with abTEM", flush=True)
    data = workspace.pt_ceo2("smoke")
    imaging = recipes.SBD_TRAINING["cpu"]["imaging"]
    white = Selection(contrast=("white",))
    validation = image_set(data, white, "validation", IMAGES_PER_UNIT, imaging)
    test = image_set(data, white, "test", IMAGES_PER_UNIT, imaging)
    rows = Recorder("smoke", workspace, data, test)

    denoiser = presets.find_preset("sbd-unet-4x64").at("cpu")
    print(f"2. Training a UNet of {parameter_count(denoiser.network):,} parameters on them, {STEPS} steps", flush=True)
    learnt = presets.sbd_run(denoiser, "cpu", data.recipe_hash, steps=STEPS, validate_every=STEPS // 4)
    trained = workspace.trained(learnt, data, "UNet")

    print("3. Scoring on structures that the network never saw", flush=True)
    rows.add("Noisy image", presets.PRESETS["constant"].denoiser, test.noisy, is_raw=True)
    for name, label in UNTUNED.items():
        denoiser = presets.PRESETS[name].denoiser
        rows.add(label, denoiser, denoise_all(denoiser, {}, test.noisy))
    for name, label in TUNED.items():
        denoiser, tuning = tune(presets.PRESETS[name].denoiser, validation, refinements=0)
        rows.add(label, denoiser, denoise_all(denoiser, {}, test.noisy), tuning=tuning)
    rows.add_trained("UNet, trained here", learnt, *trained)
    _add_shipped(rows)
    tables.write(workspace.results, table_of, NAME)
    return rows


def show(out: Path) -> int:
    """Run the quickstart in the folder `out`, then print its table, the pictures' paths and what longer sizes reach."""
    start = time.monotonic()
    out = Path(out)
    workspace = Workspace(out / "data", out / "runs", out / "results", experiment=NAME)
    rows = run("smoke", workspace)
    methods = [method for method in rows.panels if not method.endswith("untuned")]
    pictures = [rows.draw_strip(methods=methods), rows.draw_learning_curves()]
    print("\n" + (workspace.results / "tables" / f"{NAME}.smoke.md").read_text())
    for picture in pictures:
        print(f"picture: {picture}")
    print(_longer())
    print(
        f"Done in {time.monotonic() - start:.0f} s. Next: `stemjax denoise IMAGE.tif --png`, `stemjax experiment list`."
    )
    return 0


def _add_shipped(rows: Recorder) -> None:
    """The network that comes with stemjax, where its weights are present."""
    if not (presets.WEIGHTS / f"{presets.SHIPPED}.json").is_file():
        return
    denoiser, variables, info = presets.load_model(presets.SHIPPED)
    rows.add(
        "UNet, shipped with stemjax",
        denoiser,
        denoise_all(denoiser, variables, rows.test.noisy),
        seed=info["seed"],
        run=info["run"],
        checkpoint=info["digest"],
        parameters=parameter_count(denoiser.network),
    )


def _longer() -> str:
    """What the published records of the longer sizes say."""
    published = records.current(records.load("results/records")) if Path("results/records").is_dir() else []
    reached = [
        record
        for record in published
        if (record["experiment"], record["method"], record["size"]) == ("sbd_table_5_1", "SBD + UNet", "cpu")
    ]
    if not reached:
        return "Longer sizes: `stemjax experiment run sbd_table_5_1 --size cpu` (hours) and `--size gpu`."
    mean = sum(record["scores"]["psnr_db"] for record in reached) / len(reached)
    return (
        f"This was a minute of training on six exit waves. At size cpu the same network reaches {mean:.1f} dB on "
        f"{len(reached[0]['units'])} structures it never saw: results/tables/sbd_table_5_1.cpu.md"
    )


# ---------------------------------------------------------------------------------------------------- the table
SHIPPED_NOTE = (
    "The UNet trained here learnt from this very data set, at this pixel size and dose alone. The one shipped with "
    "stemjax, which `stemjax denoise` uses, was trained before, on another data set, for many pixel sizes, doses and "
    "contrasts: it does for more images, and here the one trained here may be better."
)


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Methods by falling PSNR, with the value of each test structure: they are too few for intervals or ranks."""
    rows = sorted(gather(records, scores).values(), key=lambda row: -row.mean("psnr_db"))
    data = []
    for row in rows:
        parameters = row.records[0]["parameters"]
        units = bootstrap.unit_means(row.scores["psnr_db"], row.units)
        figures = {"method": row.method, "parameters": parameters or "", "psnr_db": round(row.mean("psnr_db"), 6)}
        figures |= {"ssim": round(row.mean("ssim"), 6)}
        data.append(figures | {f"psnr_db {unit}": round(value, 6) for unit, value in units.items()})
    columns = ("Method", "Parameters", "PSNR [dB]", "SSIM", *units)
    printed = tuple(
        (
            figures["method"],
            wording.count(figures["parameters"]),
            f"{figures['psnr_db']:.2f}",
            f"{figures['ssim']:.3f}",
            *(f"{figures[f'psnr_db {unit}']:.2f}" for unit in units),
        )
        for figures in data
    )
    first = records[0]
    caption = (
        f"{first['images']} images of {len(first['units'])} structures that no network was trained on, "
        f"{first['imaging']['counts']:g} electrons per pixel of {first['imaging']['sampling']:g} Å; the last columns "
        "are the PSNR of each structure."
    )
    both = {"UNet, trained here", "UNet, shipped with stemjax"} <= {row.method for row in rows}
    notes = (SHIPPED_NOTE,) * both
    return Table("Quickstart", caption, (Grid(columns, printed),), notes, tuple(data))
