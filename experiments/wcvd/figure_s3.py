"""WCVD, Figure S3: what each size of its blind kernels passes on, and what the low-pass filter takes away.

    stemjax experiment run wcvd_figure_s3 --size cpu

WCVD with a single subnet of kernel 3, 5 or 7, and the ensemble of the three, trained alike on movies of Pt on CeO2 and
tested on unseen ones, each without a low-pass filter and with the two that the authors name: the divisor 3 of their
code and 7 of their paper. A blind kernel of K pixels is a comb in Fourier space whose first zero lies near 1 / K cycles
per pixel, so what passes beyond is no signal: in the paper the dark bands move inwards as the kernel grows. The picture
is the radial mean of the spectra's magnitude.

Expect at size `cpu` (Pt on CeO2, unseen, no low-pass): Constant: 15.71 [15.05, 16.32]; Kernel 3: 4.57 [3.75, 5.39];
Kernel 7: 10.17 [9.35, 10.98]; Ensemble: 10.11 [9.29, 10.93].

Expect at size `cpu` (Pt on CeO2, unseen, divisor 7): Kernel 3: 9.87 [9.05, 10.70]; Kernel 7: 13.06 [12.25, 13.88];
Ensemble: 12.99 [12.18, 13.81].

Reference: Lee et al., Figure S3.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from experiments import wcvd
from experiments.movie_methods import BLANK, NOISY, Method, Trained
from experiments.recorder import Recorder
from experiments.wcvd import SOURCE, caption, swept
from experiments.workspace import Workspace
from stemjax import figures
from stemjax.apply.evaluate import fitted_scores
from stemjax.denoisers.constant import Constant
from stemjax.denoisers.wcvd import WCVD
from stemjax.metrics.spectrum import power_spectrum
from stemjax.networks import BlindEnsemble
from stemjax.tables import wording
from stemjax.tables.rows import gather
from stemjax.tables.table import Grid, Table
from stemjax.tables.wording import FITTED, FITTED_NOTE, printed

TIMES = {"smoke": "1 min", "cpu": "5 min on 2 cores, 3 trainings beside those of wcvd_sweep", "gpu": "not measured"}
KERNELS = {"Kernel 3": (3,), "Kernel 5": (5,), "Kernel 7": (7,), "Ensemble": (3, 5, 7)}
DIVISORS = (0, 3, 7)  # 0: no low-pass filter
RINGS = 96  # of the radial mean


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record every kernel under every low-pass filter; draw the picture."""
    data, test = wcvd.movies(wcvd.LEARNT_FROM, size, workspace)
    rows = Recorder(size, workspace, data, test)
    clean = radial(test.clean)
    lines = {"Clean": clean, "Noisy": radial(test.noisy)}
    for method in (Method(NOISY), Method(BLANK, Constant())):
        denoised = method.denoise(test)
        method.record(rows, denoised, fitted_scores(denoised, test))
    for label, learnt in networks(size, workspace):
        for divisor in DIVISORS:
            method = Method(label, replace(learnt.run.denoiser, low_pass=divisor), learnt.variables, trained=learnt)
            denoised = method.denoise(test)
            method.record(rows, denoised, fitted_scores(denoised, test), conditions={"low_pass_divisor": divisor})
            if not divisor:
                lines[label] = radial(denoised)
    frequency = (np.arange(RINGS) + 0.5) * 0.5 / RINGS
    series = {label: figures.Line(frequency.tolist(), values.tolist()) for label, values in lines.items()}
    picture = figures.lines(series, "Spatial frequency [cycles/px]", "log10 of the magnitude")
    path = workspace.picture(size, "spectra")
    figures.write(picture, path)


def networks(size: str, workspace: Workspace) -> Iterator[tuple[str, Trained]]:
    """The network of every kernel and of all together, trained if it is not yet."""
    for label, kernels in KERNELS.items():
        denoiser = WCVD(BlindEnsemble(kernels=kernels))
        yield label, wcvd.trained("wcvd", size, workspace, label, denoiser, **wcvd.SHORT[size])


def radial(frames: np.ndarray) -> np.ndarray:
    """log10 of the magnitude of the spectra of frames [M, H, W, 1], less their means: root mean square on each ring."""
    power = np.mean([power_spectrum(frame[..., 0]) for frame in frames], axis=0)
    rows, columns = (np.fft.fftfreq(n) for n in power.shape)
    ring = (np.hypot(rows[:, None], columns) * 2 * RINGS).astype(int)
    inside = ring < RINGS
    total = np.bincount(ring[inside], power[inside], RINGS) / np.maximum(np.bincount(ring[inside], minlength=RINGS), 1)
    return 0.5 * np.log10(np.maximum(total, 1e-30))


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """PSNR of each kernel without and with the low-pass filters."""
    parts: dict[float, list[dict]] = {}
    for record in records:
        parts.setdefault(record["conditions"].get("low_pass_divisor", -1), []).append(record)
    gathered = {divisor: gather(part, scores) for divisor, part in parts.items()}
    divisors = sorted(divisor for divisor in gathered if divisor >= 0)
    names = list(gathered[divisors[0]])
    data = tuple(
        swept(row) | {"low_pass_divisor": "" if divisor < 0 else divisor}
        for divisor, rows in sorted(gathered.items())
        for row in rows.values()
    )
    by = {(line["method"], line["low_pass_divisor"]): line for line in data}

    def grid(heading: str, score: str) -> Grid:
        lines = [(name, printed(by[name, ""], score, ".2f"), *blank) for name in gathered.get(-1, {})]
        lines += [(name, *(printed(by[name, divisor], score, ".2f") for divisor in divisors)) for name in names]
        return Grid((heading, *columns), tuple(lines))

    blank = [""] * (len(divisors) - 1)
    columns = tuple("no low-pass" if not divisor else f"divisor {divisor:g}" for divisor in divisors)
    grids = [grid("Pt on CeO2, unseen", "psnr_db")]
    is_fitted = any("fitted_psnr_db" in figures for figures in data)
    if is_fitted:
        grids.append(grid(FITTED, "fitted_psnr_db"))
    notes = (
        "PSNR [dB]. A low-pass filter of divisor d keeps frequencies up to 1 / (2 d) cycles per pixel.",
        "One seed each, so the spread between trainings is not known.",
        *[FITTED_NOTE] * is_fitted,
    )
    title = wording.title("Figure S3", SOURCE, records)
    return Table(title, caption({"pt": gathered[divisors[0]]}), tuple(grids), notes, data)
