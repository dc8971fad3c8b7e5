"""WCVD, Figures 2 to 4, S5 and S9 to S11: trained on one movie, tested on others, of other samples and intensities.

    stemjax experiment run wcvd_figure_2 --size cpu

Networks learn from movies of Pt on CeO2 with values of 0 to 255 and denoise unseen movies of Pt (in distribution), of
gold on carbon with counts of 0 to 5 and of Co on CeO2 with values of 100 to 1000 (out of distribution). What WCVD makes
of gold and Co when it learnt from such movies stands beside that (not in the paper). Gaussian filters, in the plane and
in space and time, stand at the paper's size 3 in both readings, a standard deviation of 3 and a window of 3 taps, and
tuned on validation movies of the kind they are tested on; WCVD and WCID at the low-pass divisor 3 of the authors'
code, and with one tuned in the same way. PSNR against the truth
stands beside uPSNR, which needs none, and the Michelson contrast of a profile along a row of columns beside that of the
clean movie. In the paper, which has bars and no table, WCVD has the highest uPSNR on all three kinds, U-Nets and
autoencoders fail out of distribution, the Michelson contrast after WCVD is about twice that after the Gaussian filter
in space and time on gold and Co, and the Bragg peaks stand out more.

Expect at size `cpu` 11.4 dB of WCVD on Pt, 22.6 dB above the noisy frames, where UDVD has 17.8 dB; on gold 17.6 and on
Co 14.5 dB, where UDVD falls to 7.2 and 1.8 dB. Where WCVD learnt from such movies it has 20.4 dB on gold and 25.1 on
Co, with the low-pass filter tuned 21.6, which is 20.6 dB above the noisy frames, and 25.2; and a tuned Gaussian filter
in space and time is ahead of all of them, 22 to 26 dB, as little moves.

Reference: Lee et al., Figures 2 to 4, S5 and S9 to S11.
"""

import numpy as np

from experiments import hrtem
from experiments.graphene_rows import panels
from experiments.movie_methods import BLANK, Method
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import datasets, figures, parallel, tables
from stemjax.evaluate import ImageSet
from stemjax.figures_montage import montage
from stemjax.files import write_whole
from stemjax.metrics.profiles import line_profile, michelson_contrast
from stemjax.metrics.spectrum import frequency_scan, power_spectrum
from stemjax.metrics.unsupervised import umse

NAME = "wcvd_figure_2"
TIMES = {"smoke": "2 min", "cpu": "1 h on one core, after trainings of as long", "gpu": "not measured"}
WIDTH = 25  # px across the profile, as in the paper, or half the distance of columns where that is less
SPOTS = (0.25, 1.0)  # 1/Å: where Bragg spots are looked for, and where a scan of the spectrum ends
POINTS = 97  # of a scan
SCANNED = ("Noisy", "Gaussian filter, 3-D, tuned", "Noise2Void", "UDVD", "WCVD", "WCVD, low-pass tuned")
METAL = {"pt": b"Pt", "au": b"Au", "co": b"Co"}


def run(size: str, workspace: Workspace) -> None:
    """Train, tune, score and record every method on every kind of movie, then render table and pictures."""
    parallel.enable_compilation_cache()
    common = list(hrtem.networks(size, workspace))
    shown: dict[str, list[figures.Panel]] = {}
    for kind, name in hrtem.KINDS.items():
        data, test = hrtem.movies(kind, size, workspace)
        rows = Recorder(NAME, size, workspace, data, test)
        lines = [_line(data, test, kind, row) for row in range(len(test))]
        clean = [{"clean_contrast": value} for value in _contrasts(test.clean, lines)]
        pictures = {}
        validation = hrtem.movies(kind, size, workspace, "validation")[1]
        anew = list(hrtem.networks_of(kind, size, workspace))
        learnt = [*common, *anew]
        filtered = [hrtem.with_tuned_low_pass(m, validation) for m in learnt if hasattr(m.denoiser, "low_pass")]
        for method in (*hrtem.filters(validation), *learnt, *filtered):
            denoised = method.denoise(test)
            found = [_unsupervised(method, denoised, test, row) for row in hrtem.rows_of_movies(test)]
            contrast = ({"contrast": value} for value in _contrasts(denoised, lines))
            parts = zip((one for movie in found for one in movie), contrast, clean, strict=True)
            extra = [one | two | three for one, two, three in parts]
            method.record(rows, denoised, extra, conditions={"tested_on": kind})
            if method.label != BLANK and not method.label.startswith(tuple(m.label for m in anew)):  # in every row
                pictures[method.label] = denoised
        shown[name] = panels(test, pictures, 0)
        _histogram(test, workspace, size, kind)
        _scan(data, test, pictures, workspace, size, kind)
    # the scale bar stands in the first image
    sampling = workspace.movies(hrtem.LEARNT_FROM, size).manifest["frame"]["sampling_angstrom"]
    montage(shown, workspace.results / "figures" / f"{NAME}.{size}.montage.png", sampling=sampling)
    tables.write(workspace.results, NAME)


def _unsupervised(method: Method, denoised: np.ndarray, test: ImageSet, rows: np.ndarray) -> list[dict]:
    """uMSE of a movie beside the mean squared error against the truth, for every frame those of its whole movie.

    Once as it should be, and once against the nearest frames, seen or not, which flatters those that copy them. Neither
    where the method sees so many frames that none are left to compare with.
    """
    noisy, found, clean = (images[rows, ..., 0] for images in (test.noisy, denoised, test.clean))
    scores = {"mse": float(np.mean((found - clean) ** 2, dtype=float)), "peak": float(noisy.max())}
    window = hrtem.window_of(method.denoiser)
    try:
        scores["umse"] = umse(noisy, found, window).umse
        scores["umse_overlap"] = umse(noisy, found, window, overlap=True).umse
    except ValueError as error:
        if "insufficient frames" not in str(error):
            raise
    return [scores] * len(rows)


# ---------------------------------------------------------------------------------------------------- contrast
def _line(data: datasets.DataSet, test: ImageSet, kind: str, row: int) -> dict | None:
    """The profile along a row of metal columns through the middle of a frame; None where there are too few columns.

    From the column nearest to the middle towards its nearest neighbour, two of their distances either way.
    """
    sampling, pixels = data.manifest["frame"]["sampling_angstrom"], test.clean.shape[1]
    truth = np.asarray(data.truth)
    truth = truth[(truth["item"] == test.images.item[row]) & (truth["frame"] == test.images.frame[row])]
    metal = truth[truth["species"] == METAL[kind]]
    places = np.stack([metal["y_angstrom"], metal["x_angstrom"]], axis=-1).astype(float)
    span, border = sampling * (pixels - 1), 2 * sampling
    places = places[((places > border) & (places < span - border)).all(axis=1)]
    if len(places) < 5:
        return None
    distance = np.linalg.norm(places[:, None] - places, axis=-1)
    np.fill_diagonal(distance, np.inf)
    for index in np.argsort(np.linalg.norm(places - span / 2, axis=1)):
        step = places[distance[index].argmin()] - places[index]
        length = float(np.linalg.norm(step))
        start, end = places[index] - 2 * step, places[index] + 2 * step
        width = int(min(WIDTH, max(length / sampling / 2, 1)))
        beside = width / 2 * sampling + border
        if min(*start, *end) > beside and max(*start, *end) < span - beside:
            angle = float(np.rad2deg(np.arctan2(*step)))
            return {
                "sampling": sampling,
                "start": tuple(start),
                "angle_deg": angle,
                "length": 4 * length,
                "step": sampling,
                "width": width,
            }
    return None


def _contrasts(frames: np.ndarray, lines: list[dict | None]) -> list[float]:
    """Michelson contrast of every frame's profile; 0 where it has no line or is not one of intensities."""
    found = []
    for frame, line in zip(frames[..., 0], lines, strict=True):
        values = np.zeros(1) if line is None else line_profile(frame, **line)[1]
        found.append(michelson_contrast(values) if values.min() + values.max() > 0 else 0.0)
    return found


def _histogram(test: ImageSet, workspace: Workspace, size: str, kind: str) -> None:
    """Figure S5: how often each reading occurs in a noisy movie; exported to 0 to 255, each has readings of its own."""
    values = test.noisy[next(iter(hrtem.rows_of_movies(test)))].ravel()
    unit = np.unique(values)
    bins = unit if len(unit) < 64 else np.linspace(values.min(), values.max(), 64)
    step = np.diff(bins).min()
    count, edges = np.histogram(values, np.append(bins - step / 2, bins[-1] + step / 2))
    line = figures.Line(((edges[:-1] + edges[1:]) / 2).tolist(), (count / len(values)).tolist())
    picture = figures.lines({hrtem.KINDS[kind]: line}, "Reading", "Part of the pixels")
    path = workspace.results / "figures" / f"{NAME}.{size}.histogram_{kind}.png"
    write_whole(path, lambda stream: stream.write(picture))


def _scan(data: datasets.DataSet, test: ImageSet, shown: dict, workspace: Workspace, size: str, kind: str) -> None:
    """Spectra of the first movie along the line through the strongest Bragg spot of its clean frames."""
    rows, sampling = next(iter(hrtem.rows_of_movies(test))), data.manifest["frame"]["sampling_angstrom"]
    power = np.mean([power_spectrum(frame) for frame in test.clean[rows, ..., 0]], axis=0)
    y, x = (np.fft.fftfreq(n, sampling) for n in power.shape)
    y, x = np.meshgrid(y, x, indexing="ij")
    distance = np.hypot(y, x)
    spot = np.argmax(np.where((distance > SPOTS[0]) & (distance < SPOTS[1]), power, 0))
    angle = float(np.rad2deg(np.arctan2(y.flat[spot], x.flat[spot])))
    series = {}
    for label, frames in {"Clean": test.clean, **{name: shown[name] for name in SCANNED}}.items():
        scans = [frequency_scan(frame, sampling, angle, SPOTS[1], POINTS) for frame in frames[rows, ..., 0]]
        magnitude = np.sqrt(np.mean([values**2 for _, values in scans], axis=0))[1:]
        series[label] = figures.Line(scans[0][0][1:].tolist(), np.log10(np.maximum(magnitude, 1e-12)).tolist())
    picture = figures.lines(series, "Spatial frequency [1/Å]", "log10 of the magnitude")
    path = workspace.results / "figures" / f"{NAME}.{size}.bragg_{kind}.png"
    write_whole(path, lambda stream: stream.write(picture))
