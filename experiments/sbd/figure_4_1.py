"""SBD, Figure 4.1: is the noise of a movie Poisson? Its histogram, and its variance against its mean.

    stemjax experiment run sbd_figure_4_1 --size cpu

The paper looks at 40 stationary frames from the microscope at 0.45 electrons per pixel. Here the movie is simulated,
one for each test structure, once as counts and once through a camera with gain, offset and read noise, which must be
found out. The same check works on any file: `stemjax doctor noise FILE`.

Expect at size `cpu` (Camera, Called Poisson): Electron counting: 10 of 10; Gain 1.3, offset 2, read noise 0.5: 0 of 10.

Reference: Mohan et al., arXiv:2010.12970, Figure 4.1.
"""

from dataclasses import replace

import numpy as np

from experiments.sbd import SOURCE, WHITE
from experiments.workspace import Workspace
from stemjax import records
from stemjax.apply.evaluate import image_set
from stemjax.data import micrographs
from stemjax.data.images import TEST_NOISE, noisy_images
from stemjax.figures.noise_check import picture
from stemjax.files import write_whole
from stemjax.metrics.noise_check import NoiseCheck, check_noise
from stemjax.physics.noise import Poisson, PoissonGaussian
from stemjax.tables import wording
from stemjax.tables.table import Grid, Table
from stemjax.training import recipes

TIMES = {"smoke": "1 min", "cpu": "1 min on 2 cores", "gpu": "not measured"}
FRAMES = 40
CAMERAS = {
    "Electron counting": Poisson(),
    "Gain 1.3, offset 2, read noise 0.5": PoissonGaussian(gain=1.3, offset=2.0, read_noise=0.5),
}


def run(size: str, workspace: Workspace) -> None:
    """Make and examine the movies; draw the picture."""
    data, check_of = workspace.pt_ceo2(size), {}
    counts = replace(recipes.SBD_TRAINING[size]["imaging"], counts=micrographs.VACUUM_COUNTS)
    test = image_set(data, WHITE, "test", 1, counts)
    for camera, noise in CAMERAS.items():
        imaging, scores = replace(counts, noise=noise), []
        for number, clean in enumerate(test.clean):
            still = np.broadcast_to(clean, (FRAMES, *clean.shape))
            check = check_noise(noisy_images(still, imaging, TEST_NOISE + number)[..., 0])
            check_of.setdefault(camera, check)
            row = {"image": test.name[number], "unit": str(test.images.unit[number])}
            scores.append(row | {"mean_counts": clean.mean()} | _scores(check))
            print(f"{test.name[number]:32s} {camera:36s} {check.verdict:16s} gain {check.gain}", flush=True)
        record = records.new_record(
            experiment=workspace.experiment,
            method=camera,
            denoiser=None,
            data_set=data,
            imaging=imaging,
            protocol="movie",
            size=size,
            scores=scores,
            conditions={"frames": FRAMES},
        )
        records.append(workspace.results / "records", record, scores)
    path, content = workspace.picture(size), picture(check_of)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda stream: stream.write(content))


def _scores(check: NoiseCheck) -> dict:
    estimates = ("dispersion", "gain", "offset", "read_variance")
    scores = {name: getattr(check, name).value for name in estimates}
    scores |= {"is_poisson": float(check.verdict == "Poisson")}
    return scores | ({} if check.p_value is None else {"p_value": check.p_value})


# ---------------------------------------------------------------------------------------------------- the table
TRUTH = {"Poisson": {"gain": 1.0, "offset": 0.0, "read_noise": 0.0}}  # what the class of a noise model leaves unsaid


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """One row per camera: how often its noise was called Poisson, and the moments found beside the true ones."""
    data = tuple(_figures(record, scores[record["id"]]) for record in records)
    columns = ("Camera", "Called Poisson", "Lowest p-value", "Variance / mean", "Gain", "Offset", "Read noise²")
    printed = tuple(
        (
            figures["method"],
            f"{figures['called_poisson']} of {figures['movies']}",
            "not counts" if figures["lowest_p_value"] == "" else f"{figures['lowest_p_value']:.2g}",
            *(_against_truth(figures, name) for name in ("dispersion", "gain", "offset", "read_variance")),
        )
        for figures in data
    )
    imaging, first = records[0]["imaging"], scores[records[0]["id"]]
    caption = (
        f"{len(first)} movies, one per structure of the test split, of {records[0]['conditions']['frames']} noisy "
        f"draws of one clean image each; {imaging['counts']:g} electrons per pixel of vacuum, pixels of "
        f"{imaging['sampling']:g} Å. In parentheses is what was put in."
    )
    notes = (
        "Poisson noise is refused when the histogram of its counts has a p-value below 0.01: in 1 of 100 movies.",
        "Means over structures"
        + (", with 95 % intervals (bootstrap over structures)." if records[0]["interval"] else "."),
        "Gain, offset and read noise come from the mean-variance line and the third moment; nothing is fitted to the "
        "clean image.",
    )
    return Table(
        wording.title("Figure 4.1", SOURCE, records),
        caption,
        (Grid(columns, printed),),
        notes,
        data,
    )


def _figures(record: dict, rows: list[dict]) -> dict:
    noise = record["imaging"]["noise"]
    truth = TRUTH.get(noise["class"], {}) | {name: value for name, value in noise.items() if name != "class"}
    counts = np.mean([row["mean_counts"] for row in rows])
    p_values = [row["p_value"] for row in rows if "p_value" in row]
    figures = {
        "method": record["method"],
        "movies": len(rows),
        "called_poisson": int(sum(row["is_poisson"] for row in rows)),
        "lowest_p_value": min(p_values) if p_values else "",
        "true_gain": truth["gain"],
        "true_offset": truth["offset"],
        "true_read_variance": round(truth["read_noise"] ** 2, 6),
    }
    variance = truth["gain"] ** 2 * counts + truth["read_noise"] ** 2
    figures["true_dispersion"] = round(float(variance / (truth["gain"] * counts + truth["offset"])), 6)
    for name in ("dispersion", "gain", "offset", "read_variance"):
        low, high = record["interval"][name] if record["interval"] else ("", "")
        figures |= {name: record["scores"][name], f"{name}_low": low, f"{name}_high": high}
    return figures | {"record": wording.record_ids([record])}


def _against_truth(figures: dict, name: str) -> str:
    interval = f" [{figures[f'{name}_low']:.3f}, {figures[f'{name}_high']:.3f}]" if figures[f"{name}_low"] != "" else ""
    return f"{figures[name]:.3f}{interval} ({figures[f'true_{name}']:.3g})"
