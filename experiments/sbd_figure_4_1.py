"""SBD, Figure 4.1: is the noise of a movie Poisson? Its histogram, and its variance against its mean.

    stemjax experiment run sbd_figure_4_1 --size cpu

The paper looks at 40 stationary frames from the microscope at 0.45 electrons per pixel. Here the movie is simulated,
one for each test structure, once as counts and once through a camera with gain, offset and read noise, which must be
found out. The same check works on any file: `stemjax doctor noise FILE`. Expect the counts to be called Poisson in
all or all but one of 10 movies, the camera in none, and its gain 1.3, offset 2 and squared read noise 0.25 recovered.

Reference: Mohan et al., arXiv:2010.12970, Figure 4.1.
"""

from dataclasses import replace

import numpy as np

from experiments.sbd_table_5_1 import WHITE
from experiments.workspace import Workspace
from stemjax import records, tables
from stemjax.apply.evaluate import image_set
from stemjax.data import micrographs
from stemjax.data.images import TEST_NOISE, noisy_images
from stemjax.files import write_whole
from stemjax.metrics.noise_check import NoiseCheck, check_noise
from stemjax.physics.noise import Poisson, PoissonGaussian
from stemjax.tables.noise_check import picture
from stemjax.training import recipes

NAME = "sbd_figure_4_1"
TIMES = {"smoke": "1 min", "cpu": "1 min on 2 cores", "gpu": "not measured"}
FRAMES = 40
CAMERAS = {
    "Electron counting": Poisson(),
    "Gain 1.3, offset 2, read noise 0.5": PoissonGaussian(gain=1.3, offset=2.0, read_noise=0.5),
}


def run(size: str, workspace: Workspace) -> None:
    """Make the movies, examine them, and render the table and the picture."""
    data, shown = workspace.pt_ceo2(size), {}
    counts = replace(recipes.SBD_TRAINING[size]["imaging"], counts=micrographs.VACUUM_COUNTS)
    test = image_set(data, WHITE, "test", 1, counts)
    for camera, noise in CAMERAS.items():
        imaging, scores = replace(counts, noise=noise), []
        for number, clean in enumerate(test.clean):
            still = np.broadcast_to(clean, (FRAMES, *clean.shape))
            check = check_noise(noisy_images(still, imaging, TEST_NOISE + number)[..., 0])
            shown.setdefault(camera, check)
            row = {"image": test.name[number], "unit": str(test.images.unit[number])}
            scores.append(row | {"mean_counts": clean.mean()} | _scores(check))
            print(f"{test.name[number]:32s} {camera:36s} {check.verdict:16s} gain {check.gain}", flush=True)
        record = records.new_record(
            experiment=NAME,
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
    tables.write(workspace.results, NAME)
    path, content = workspace.results / "figures" / f"{NAME}.{size}.png", picture(shown)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda stream: stream.write(content))


def _scores(check: NoiseCheck) -> dict:
    estimates = ("dispersion", "gain", "offset", "read_variance")
    found = {name: getattr(check, name).value for name in estimates}
    found |= {"is_poisson": float(check.verdict == "Poisson")}
    return found | ({} if check.p_value is None else {"p_value": check.p_value})
