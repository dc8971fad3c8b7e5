"""The rows of a table on simulated images: scored, recorded, and kept for the figures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from experiments.workspace import Workspace
from stemjax import figures, records
from stemjax.apply.evaluate import ImageSet, denoise_all, scores
from stemjax.data import datasets
from stemjax.metrics.field_of_view import field_of_view
from stemjax.networks.weights import parameter_count
from stemjax.training.train import Outcome, Run


@dataclass
class Recorder:
    """Scores methods on one image set and appends a record of each.

    Parameters
    ----------
    size : str
    workspace : Workspace
        Its `results` folder takes the records and figures, under the name of its experiment.
    data : datasets.DataSet
    test : ImageSet
    """

    size: str
    workspace: Workspace
    data: datasets.DataSet
    test: ImageSet
    panels: dict[str, figures.Panel] = field(default_factory=dict)
    curves: dict[str, list] = field(default_factory=dict)

    def add(
        self,
        method: str,
        denoiser,
        denoised: np.ndarray,
        *,
        is_raw: bool = False,
        extra: Sequence[dict] | None = None,
        **facts,
    ) -> dict:
        """Record one row from its denoised images [M, P, P, 1]; `facts` go to `records.new_record`.

        `extra` holds further scores of each image.
        """
        of_images = scores(denoised, self.test, clamp=not is_raw)
        of_images = [row | more for row, more in zip(of_images, extra or [{}] * len(of_images), strict=True)]
        record = records.new_record(
            experiment=self.workspace.experiment,
            method=method,
            denoiser=None if is_raw else denoiser,
            data_set=self.data,
            imaging=self.test.imaging,
            protocol=self.test.imaging.protocol,
            size=self.size,
            scores=of_images,
            **facts,
        )
        records.append(self.workspace.results / "records", record, of_images)
        print(f"{method:32s} {record['scores']['psnr_db']:6.2f} dB  SSIM {record['scores']['ssim']:.3f}", flush=True)
        if method not in self.panels:
            image, psnr_db = denoised[self.test.images.typical][..., 0], of_images[self.test.images.typical]["psnr_db"]
            self.panels[method] = figures.Panel(method, image, psnr_db, is_noisy=is_raw)
        if facts.get("learning_curve"):
            self.curves.setdefault(method, []).append(facts["learning_curve"])
        return record

    def add_trained(
        self,
        method: str,
        run: Run,
        variables: dict,
        info: dict,
        outcome: Outcome,
        tuning: dict | None = None,
        *,
        denoiser=None,
        denoised: np.ndarray | None = None,
        **facts,
    ) -> dict:
        """Denoise with a trained network, unless that was done, and record the row.

        `denoiser` is the run's own, unless what comes after the network was changed.
        """
        denoiser, network = denoiser or run.denoiser, run.denoiser.network
        return self.add(
            method,
            denoiser,
            denoise_all(denoiser, variables, self.test.noisy) if denoised is None else denoised,
            seed=run.seed,
            run=run.hash,
            checkpoint=info["digest"],
            tuning=tuning,
            parameters=parameter_count(network),
            field_of_view=field_of_view(network.geometry()),
            learning_curve=[event for event in info["log"] if "validation_psnr_db" in event],
            wall_s=round(outcome.progress.train_time_s, 1),
            compile_s=round(outcome.progress.compile_time_s, 1),
            **facts,
        )

    def picture(self, part: str = "") -> Path:
        """The file of a picture: see `Workspace.picture`."""
        return self.workspace.picture(self.size, part)

    def draw_strip(self, name: str = "", methods: Sequence[str] | None = None, columns: int | None = None) -> Path:
        """One test image, clean and as the methods show it (default: all), with the particle's edge enlarged."""
        path = self.picture(name)
        clean = figures.Panel("Clean", self.test.clean[self.test.images.typical][..., 0])
        panels = [clean, *(self.panels[method] for method in methods or self.panels)]
        sampling = self.test.imaging.sampling
        figures.strip(panels, path, sampling=sampling, zoom_box=self._edge(), columns=columns)
        return path

    def draw_learning_curves(self) -> Path:
        """Validation PSNR of every training."""
        path = self.picture("learning_curves")
        figures.learning_curves(self.curves, path)
        return path

    def _edge(self) -> tuple[int, int, int, int]:
        """Box (x0, y0, x1, y1) [px] around the particle's upper right edge, in the test image."""
        x0, y0, x1, _ = self.data.items[self.test.images.item[self.test.images.typical]]["particle_box_angstrom"]
        sampling = self.test.imaging.sampling
        strip = (round(self.data.band.cell / sampling) - self.test.clean.shape[1]) // 2  # px cut off at the cell's edge
        side, border = (x1 - x0) / 2 / sampling, 1.5 / sampling
        left, top = (x0 + x1) / 2 / sampling - strip, y0 / sampling - strip - border
        return int(left), int(top), int(left + side + border), int(top + side + border)
