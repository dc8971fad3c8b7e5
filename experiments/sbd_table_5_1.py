"""SBD, Table 5.1: denoisers of simulated Pt/CeO2 micrographs at 0.45 electrons per pixel.

    stemjax experiment run sbd_table_5_1 --size cpu

Every filter is tuned on the validation structures, every network sees the same number of crops in the same order, and
all are scored on structures that none of them saw. Expect at size `cpu`: constant 25, Gaussian and total variation about
30, the networks about 32 dB.

Reference: Mohan et al., arXiv:2010.12970, Table 5.1.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from experiments.workspace import Workspace
from stemjax import datasets, figures, parallel, presets, records, tables
from stemjax.evaluate import ImageSet, denoise_all, image_set, psnr_db, scores, timed, tune
from stemjax.metrics.field_of_view import field_of_view
from stemjax.networks.weights import parameter_count
from stemjax.train import Optimiser

NAME = "sbd_table_5_1"
TIMES = {"smoke": "1 min", "cpu": "2 h on 2 cores", "gpu": "about 6 h on one large GPU"}
FILTERS = {
    "Constant": "constant",
    "Low-pass filter": "low-pass",
    "Adaptive Wiener filter": "wiener",
    "Gaussian filter": "gaussian",
    "Total variation": "tv",
}
NETWORKS = {"SBD + DnCNN": "sbd-dncnn", "SBD + Small UNet": "sbd-small-unet", "SBD + UNet": "sbd-unet-4x32"}
SEEDS = {"smoke": (0,), "cpu": (0, 1, 2), "gpu": (0,)}
LEARNING_RATES = {"smoke": (2e-3,), "cpu": (5e-4, 1e-3, 2e-3, 4e-3), "gpu": (1e-3,)}
SHORT_STEPS = 250  # length of the short runs that choose a learning rate
IMAGES_PER_UNIT = {"smoke": 1, "cpu": 6, "gpu": 20}
WHITE = datasets.Selection(contrast=("white",))


def run(size: str, workspace: Workspace) -> None:
    """Train, tune, score and record every row, then render the table and the figures."""
    parallel.enable_compilation_cache()
    data = workspace.pt_ceo2(size)
    imaging = presets.sbd_run(None, size, data.recipe_hash).imaging
    validation = image_set(data, WHITE, "validation", IMAGES_PER_UNIT[size], imaging)
    test = image_set(data, WHITE, "test", IMAGES_PER_UNIT[size], imaging)
    rows = _Rows(size, workspace, data, test)

    rows.add("Raw", presets.PRESETS["constant"].denoiser, test.noisy)
    for method, name in FILTERS.items():
        denoiser, tuning = tune(presets.PRESETS[name].denoiser, validation)
        denoised, wall_s = timed(denoise_all, denoiser, {}, test.noisy)
        rows.add(method, denoiser, denoised, tuning=tuning or None, wall_s=wall_s)
    for method, name in NETWORKS.items():
        denoiser = presets.find_preset(name).at(size)
        optimiser, tuning = _choose_learning_rate(method, denoiser, size, workspace, data)
        for seed in SEEDS[size]:
            learnt = presets.sbd_run(denoiser, size, data.recipe_hash, seed, optimiser=optimiser)
            variables, info, outcome = workspace.trained(learnt, data, f"{method}, seed {seed}")
            network = learnt.denoiser.network
            rows.add(
                method,
                learnt.denoiser,
                denoise_all(learnt.denoiser, variables, test.noisy),
                seed=seed,
                run=learnt.hash,
                checkpoint=info["digest"],
                tuning=tuning,
                parameters=parameter_count(network),
                field_of_view=field_of_view(network.geometry()),
                learning_curve=[event for event in info["log"] if "validation_psnr_db" in event],
                wall_s=round(outcome.progress.train_time_s, 1),
                compile_s=round(outcome.progress.compile_time_s, 1),
            )
    tables.write(workspace.results)
    rows.draw()


def _choose_learning_rate(method: str, denoiser, size: str, workspace: Workspace, data) -> tuple[Optimiser, dict | None]:
    """Every network picks from the same learning rates, by one short run of each: (optimiser, tuning)."""
    optimiser, rates = presets.SBD_TRAINING[size]["optimiser"], LEARNING_RATES[size]
    if len(rates) == 1:
        return replace(optimiser, learning_rate=rates[0]), None
    found = []
    for rate in rates:
        short = presets.sbd_run(
            denoiser,
            size,
            data.recipe_hash,
            optimiser=replace(optimiser, learning_rate=rate),
            steps=SHORT_STEPS,
            validate_every=SHORT_STEPS,
        )
        _, info, _ = workspace.trained(short, data, f"{method}, learning rate {rate:g}")
        found.append(info["validation_psnr_db"])
    best = int(np.argmax(found))
    tuning = {
        "values": list(rates),
        "validation_psnr_db": [round(value, 3) for value in found],
        "chosen": rates[best],
        "at_an_end": best in (0, len(rates) - 1),
        "steps": SHORT_STEPS,
    }
    return replace(optimiser, learning_rate=rates[best]), {"learning_rate": tuning}


@dataclass
class _Rows:
    """Scores and records every row, and keeps one test image of each for the figure."""

    size: str
    workspace: Workspace
    data: datasets.DataSet
    test: ImageSet
    panels: dict[str, figures.Panel] = field(default_factory=dict)
    curves: dict[str, list] = field(default_factory=dict)
    levels: dict[str, float] = field(default_factory=dict)

    def add(self, method: str, denoiser, denoised: np.ndarray, **facts) -> None:
        raw = method == "Raw"
        found = scores(denoised, self.test, clamp=not raw)
        record = records.new_record(
            experiment=NAME,
            method=method,
            denoiser=denoiser,
            data_set=self.data,
            imaging=self.test.imaging,
            protocol="sbd",
            size=self.size,
            scores=found,
            **facts,
        )
        records.append(self.workspace.results / "records", record, found)
        print(f"{method:24s} {record['scores']['psnr_db']:6.2f} dB  SSIM {record['scores']['ssim']:.3f}", flush=True)
        if method not in self.panels:
            image = denoised[self._shown()][..., 0]
            self.panels[method] = figures.Panel(method, image, found[self._shown()]["psnr_db"], is_noisy=raw)
        if "learning_curve" in facts:
            self.curves.setdefault(method, []).append(facts["learning_curve"])
        elif method in ("Constant", "Gaussian filter", "Total variation"):
            self.levels[method] = psnr_db(denoised, self.test)

    def draw(self) -> None:
        """The strip of images and the learning curves."""
        folder = self.workspace.results / "figures"
        clean = figures.Panel("Clean", self.test.clean[self._shown()][..., 0], None)
        figures.strip(
            [clean, *self.panels.values()],
            folder / f"{NAME}.{self.size}.png",
            sampling=self.test.imaging.sampling,
            zoom_box=self._surface(),
        )
        figures.learning_curves(self.curves, folder / f"{NAME}.{self.size}.learning_curves.png", levels=self.levels)

    def _shown(self) -> int:
        """The test image nearest to the paper's usual defocus of 6 nm."""
        return int(np.argmin(np.abs(self.test.images.defocus - 60.0)))

    def _surface(self) -> tuple[int, int, int, int]:
        """Box (x0, y0, x1, y1) [px] around the particle's upper right edge, in the test image."""
        x0, y0, x1, y1 = self.data.items[self.test.images.item[self._shown()]]["particle_box_angstrom"]
        sampling = self.test.imaging.sampling
        edge = (self.data.band.cell / sampling - self.test.clean.shape[1]) / 2
        left, top = (x0 + x1) / 2 / sampling - edge, y0 / sampling - edge - 15 / 2
        side = int((x1 - (x0 + x1) / 2) / sampling + 15)
        return int(left), int(top), int(left) + side, int(top) + side
