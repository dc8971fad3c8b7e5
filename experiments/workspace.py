"""Where an experiment finds its data sets and trained networks, and where its records go."""

import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from stemjax.data import datasets
from stemjax.data.glyphs import FONT
from stemjax.training.train import Outcome, load_run, train

SMOKE = Path("scratch/smoke")


@dataclass(frozen=True)
class Workspace:
    """Folders of one checkout.

    Parameters
    ----------
    data : path
        Simulated data sets, one folder each; made when missing.
    runs : path
        Trained networks, shared by all experiments.
    results : path
        Records and tables. Those of size `smoke` go to a folder of their own and are never published.
    photos : path, optional
        Folder of photographs for Table 3.1 (b); by default those that come with scikit-image.
    font : str
        Family or file of the font of the characters.
    images : path, optional
        Folder with `noisy` images, and `clean` ones if there are any, for Figures 6 and 11 of the autoencoder.
    axes : str, optional
        What the axes of these images mean; see `files.read_image`.
    time_limit : float or None
        Seconds that the trainings of one call may take before they are left for the next.
    experiment : str
        Name under which is recorded.
    """

    data: Path = Path("data")
    runs: Path = Path("runs")
    results: Path = Path("results")
    photos: Path | None = None
    font: str = FONT
    images: Path | None = None
    axes: str | None = None
    time_limit: float | None = None
    experiment: str = ""

    @classmethod
    def for_size(cls, size: str, time_limit: float | None = None) -> "Workspace":
        """The folders of the checkout, or a scratch folder at size `smoke`."""
        if size == "smoke":
            return cls(SMOKE / "data", SMOKE / "runs", SMOKE / "results", time_limit=time_limit)
        return cls(time_limit=time_limit)

    def picture(self, size: str, part: str = "") -> Path:
        """The file of a picture of the experiment."""
        stem = ".".join(filter(None, (self.experiment, size, part)))
        return self.results / "figures" / f"{stem}.png"

    def data_set(self, name: str, size: str) -> datasets.DataSet:
        """The data set of a kind and a size, simulated first if it is not there."""
        folder = self.data / f"{name}-{size}"
        if not (folder / "manifest.json").is_file():
            from simulation import make_data_set

            make_data_set(name, folder, size)
        return datasets.open_data_set(folder)

    def pt_ceo2(self, size: str) -> datasets.DataSet:
        """The Pt/CeO2 exit waves of a size."""
        return self.data_set("pt-ceo2", size)

    def pt_ceo2_surface(self, size: str) -> datasets.DataSet:
        """The 44 structures with atoms removed from or added to the surface (size smoke: 4), all of split "test"."""
        return self.data_set("pt-ceo2-surface", size)

    def au_graphene(self, size: str) -> datasets.DataSet:
        """The movies of Au adatoms on graphene of a size."""
        return self.data_set("au-graphene", size)

    def haadf_pt(self, size: str) -> datasets.DataSet:
        """The HAADF movies of Pt on carbon of a size."""
        return self.data_set("haadf-pt", size)

    def lattice(self, size: str) -> datasets.DataSet:
        """The movies of a distorted lattice of a size."""
        return self.data_set("lattice", size)

    def movies(self, kind: str, size: str) -> datasets.DataSet:
        """The HRTEM movies of a kind ("pt", "au", "co", "sbd") and a size."""
        return self.data_set(f"movies-{kind}", size)

    def trained(
        self, run, data: datasets.DataSet, label: str, initial: dict | None = None
    ) -> tuple[dict, dict, Outcome]:
        """The variables of a run, trained to the end first if it is not: (variables, info, outcome).

        `initial` are the variables that it starts from, where it names any.

        Raises
        ------
        TimeoutError
            If the time limit came first; the message says how to go on.
        SystemExit
            If a signal did: with the exit status of that signal.
        """
        print(f"{label}: run {run.hash}", flush=True)
        outcome = train(run, data, self.runs, initial=initial, time_limit=self.time_limit, log=_print_validation)
        if outcome.stopped:
            message = f"{label} stopped at step {outcome.step} of {run.steps} ({outcome.stopped}); run again to go on"
            if outcome.stopped == "time limit":
                raise TimeoutError(message)
            print(message, file=sys.stderr)
            raise SystemExit(128 + signal.Signals[outcome.stopped])
        _, variables, info = load_run(outcome.folder)
        return variables, info, outcome


def _print_validation(event: dict) -> None:
    if "validation_psnr_db" in event:
        print(
            f"  step {event['step']:6d}  loss {event['loss']:.4f}  validation {event['validation_psnr_db']:.2f} dB  "
            f"{event['time_s']:.0f} s",
            flush=True,
        )
