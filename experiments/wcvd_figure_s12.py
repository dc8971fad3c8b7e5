"""WCVD, Figure S12: the drift of a movie, by what its frames went through before they were registered.

    stemjax experiment run wcvd_figure_s12 --size cpu

The frames of unseen movies of Pt on CeO2 (0.12 electrons per pixel and frame), of gold on carbon and of Co on CeO2,
whose drift is known, registered as they are, after a Gaussian filter in the plane (in both readings of the paper's size
3, a window and a standard deviation, and wide), after one in space and time (in both readings), and denoised by WCID,
which sees one frame at a time. In the paper drift is left after a Gaussian filter in space and time, and none after
WCID or a Gaussian filter in the plane. They are registered against the mean of all frames before, against the frame
before, and against the mean of all others (not in the paper). A score is the root mean square distance from the true
path, both less their means; a movie that is refused counts as one that does not drift. A method that mixes frames, as a
filter in space and time and WCVD do, puts each frame's noise into its neighbours, where registration finds it again:
WCVD stands in the table to show that. What no registration can be better than, the Cramér-Rao bound, is noted for each
kind. Expect at size `cpu` on gold 0.15 px after WCID against the mean of all others, where the other references refuse
6 of 10 movies; and every movie of Pt refused, whose 256 x 256 pixels hold too few electrons.

Reference: Lee et al., Figure S12.
"""

import numpy as np

from experiments import hrtem
from experiments.movie_methods import Method
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import tables
from stemjax.apply.evaluate import ImageSet
from stemjax.data import datasets
from stemjax.denoisers.space_time_gaussian import SpaceTimeGaussian
from stemjax.physics.drift import CUMULATIVE, MEAN, RUNNING, RegistrationError, bound, register
from stemjax.tables.wcvd import SIGMA_3, WINDOW_3
from stemjax.training import parallel

NAME = "wcvd_figure_s12"
TIMES = {"smoke": "1 min", "cpu": "15 min on one core, after the trainings of wcvd_figure_2", "gpu": "not measured"}
GAUSSIANS = {
    "Gaussian filter, window 3": hrtem.PAPER_FILTERS[WINDOW_3["2-D"]],
    "Gaussian filter, sigma 3": hrtem.PAPER_FILTERS[SIGMA_3["2-D"]],
    "Gaussian filter, sigma 8": SpaceTimeGaussian(8.0, 0.0),
    **{label: hrtem.PAPER_FILTERS[label] for label in (WINDOW_3["3-D"], SIGMA_3["3-D"])},
}
REACH = 1.0  # Å between neighbouring frames: less than half of a column's distance


def run(size: str, workspace: Workspace) -> None:
    """Register, score and record every movie after every pre-filter, then render the table."""
    parallel.enable_compilation_cache()
    networks = _trained(size, workspace)
    filters = {label: Method(label, denoiser) for label, denoiser in GAUSSIANS.items()}
    for kind in hrtem.KINDS:
        data, test = hrtem.movies(kind, size, workspace)
        rows = Recorder(NAME, size, workspace, data, test)
        for method in (Method("As recorded"), *filters.values(), *networks.values()):
            denoised = method.denoise(test)
            for reference in (RUNNING, CUMULATIVE, MEAN):
                extra = _registered(denoised, data, test, reference)
                method.record(rows, denoised, extra, conditions={"kind": kind, "reference": reference})
    tables.write(workspace.results, NAME)


def train(size: str, workspace: Workspace) -> None:
    """Train whatever of its networks is not trained yet, for `experiments.zoo`."""
    _trained(size, workspace)


def _trained(size: str, workspace: Workspace) -> dict[str, Method]:
    return {
        label: hrtem.learnt(label, hrtem.trained(preset, size, workspace, label))
        for label, preset in {"WCID": "wcid", "WCVD": "wcvd"}.items()
    }


def _registered(frames: np.ndarray, data: datasets.DataSet, test: ImageSet, reference: str) -> list[dict]:
    """How far the path of each movie is from the true one [px], for every frame that of its whole movie."""
    motion, sampling = np.asarray(data.array("frames.npy")), data.manifest["frame"]["sampling_angstrom"]
    scores: list[dict] = [{} for _ in frames]
    bounds = _bounds(test)
    for rows in hrtem.rows_of_movies(test):
        own = motion[motion["item"] == test.images.item[rows[0]]]
        own = own[np.argsort(own["frame"])][test.images.frame[rows]]
        true = np.stack([own["drift_y_angstrom"], own["drift_x_angstrom"]], axis=-1).astype(float) / sampling
        try:
            path, registered = register(frames[rows, ..., 0], reference=reference, reach=REACH / sampling).path, 1.0
        except RegistrationError:
            path, registered = np.zeros_like(true), 0.0
        apart = (path - path.mean(0)) - (true - true.mean(0))
        error = float(np.sqrt(np.mean(np.sum(apart**2, axis=1))))
        for row in rows:
            scores[row] = {"drift_error_px": error, "registered": registered, "drift_bound_px": bounds[row]}
    return scores


def _bounds(test: ImageSet) -> np.ndarray:
    """The smallest error [px] for every frame, the root mean square of its movie; its noise from that very movie."""
    found = np.zeros(len(test))
    for rows in hrtem.rows_of_movies(test):
        clean, noisy = test.clean[rows, ..., 0].astype(float), test.noisy[rows, ..., 0]
        slope, offset = np.polyfit(clean.ravel(), (noisy - clean).ravel() ** 2, 1)  # variance of a reading
        found[rows] = np.sqrt(np.mean(bound(clean, slope * clean + offset) ** 2))
    return found
