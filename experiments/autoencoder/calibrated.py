"""Images that are compared with clean ones after one gain and one offset, since they are not in the unit of those.

So it is where noise is clipped (`autoencoder_figure_4`) or an image of short exposure is compared with one of long
(`autoencoder_figure_6`). Gain and offset are fitted on the validation images, once for every method: what is tested on
never fits itself. Their tables are those of Figures 4 and 6.
"""

from collections.abc import Callable, Iterable

import numpy as np

from experiments.autoencoder import NETWORK, PUBLISHED
from experiments.movie_methods import NOISY, Method
from experiments.recorder import Recorder
from experiments.very_noisy import channels_of
from stemjax.apply.evaluate import ImageSet, denoise_all, tune
from stemjax.denoisers.gaussian import Gaussian
from stemjax.figures import Panel
from stemjax.metrics import bootstrap
from stemjax.metrics.image import score
from stemjax.tables import wording
from stemjax.tables.rows import Row, ranks
from stemjax.tables.table import Grid

CALIBRATED = f"{NOISY}, calibrated"
Denoise = Callable[[object, dict, np.ndarray], np.ndarray]  # (denoiser, variables, noisy) -> denoised, [M, H, W, C]


def calibration(denoised: np.ndarray, images: ImageSet) -> tuple[float, float]:
    """Gain and offset that bring denoised images [M, H, W, C] nearest to the clean ones, one of each for all."""
    mean, clean_mean = denoised.mean(dtype=float), images.clean.mean(dtype=float)
    gain = np.mean((denoised - mean) * (images.clean - clean_mean), dtype=float) / max(denoised.var(dtype=float), 1e-12)
    return float(gain), float(clean_mean - gain * mean)


def tuned_gaussian(validation: ImageSet, denoise: Denoise = denoise_all) -> Method:
    """The Gaussian filter that is best on validation images, calibrated on them."""

    def fitted(denoiser, variables: dict, noisy: np.ndarray) -> np.ndarray:
        denoised = denoise(denoiser, variables, noisy)
        gain, offset = calibration(denoised, validation)
        return gain * denoised + offset

    gaussian, tuning = tune(Gaussian(), validation, denoise=fitted)
    return Method("Gaussian, tuned", gaussian, {}, tuning)


def record_rows(
    rows: Recorder, validation: ImageSet, methods: Iterable[Method], denoise: Denoise = denoise_all, **facts
) -> dict[str, np.ndarray]:
    """Record the noisy images as they are, calibrated, and as every method has them, calibrated.

    Returns
    -------
    dict
        Label -> images to show: the noisy ones, then those of the first record of each method.
    """
    rows.add(NOISY, None, rows.test.noisy, is_raw=True, **facts)
    frames_of = {NOISY: rows.test.noisy}
    for method in (Method(CALIBRATED), *methods):
        parts = validation.noisy, rows.test.noisy
        if method.denoiser is not None:
            parts = tuple(denoise(method.denoiser, method.variables, noisy) for noisy in parts)
        gain, offset = calibration(parts[0], validation)
        denoised = gain * parts[1] + offset
        method.record(rows, denoised, [{"gain": gain, "offset": offset}] * len(denoised), **facts)
        if method.denoiser is not None:
            frames_of.setdefault(method.label, denoised)
    return frames_of


def panels(test: ImageSet, frames_of: dict[str, np.ndarray], rows: Iterable[int]) -> dict[str, list[Panel]]:
    """Some images, clean and as every method has them, each with its PSNR: rows of a montage. Colours turn grey."""
    montage = {}
    for row in rows:
        clean = test.clean[row]
        montage[test.name[row]] = [Panel("Clean", clean.mean(-1))]
        for label, images in frames_of.items():
            psnr_db = score(clean, images[row], **test.imaging.contract())["psnr_db"]
            montage[test.name[row]].append(Panel(label, images[row].mean(-1), psnr_db, is_noisy=label == NOISY))
    return montage


# ---------------------------------------------------------------------------------------------------- the table
BARS = ("Noisy", "Noisy, calibrated", "Constant")


def figures_of(row: Row, network: Row) -> dict:
    """The figures of one row by name, an empty text where there is none."""
    psnr = bootstrap.interval(row.psnr_db, row.units) or (row.mean("psnr_db"), None, None)
    ahead = bootstrap.difference(network.psnr_db, row.psnr_db, row.units) if row is not network else None
    figures = {"method": row.method} | wording.with_ends("psnr_db", psnr)
    figures |= wording.estimated("ssim", row.scores["ssim"], row.units)
    figures |= wording.with_ends("network_ahead_db", ahead or (None,) * 3)
    figures |= {name: wording.rounded(row.mean_or_blank(name)) for name in ("gain", "offset")}
    seeds = wording.seed_figures(row, row.seed_means)
    figures |= {name: seeds[name] for name in ("seed_lowest_db", "seed_highest_db", "seeds")}
    facts = {"images": len(row.units), "parameters": row.records[0]["parameters"]}
    return figures | facts | {"records": wording.record_ids(row.records)}


def grid_of(heading: str, rows: dict[str, Row], chosen: list[dict]) -> Grid:
    """Rows with their ranks, and how much better the network is."""
    placed, lines = ranks(rows), []
    for figure in chosen:
        seeds = wording.seeds(figure)
        place = "" if placed is None else "{} ({})".format(*placed[figure["method"]])
        parameters = wording.count(figure["parameters"])
        psnr, ahead = wording.printed(figure, "psnr_db", ".2f"), wording.printed(figure, "network_ahead_db", "+.2f")
        lines.append((figure["method"], parameters, psnr, wording.printed(figure, "ssim", ".3f"), ahead, place, seeds))
    columns = ("Parameters", "PSNR [dB]", "SSIM", f"{NETWORK} better by [dB]", "Rank (tied)", "Seeds: PSNR [dB]")
    return Grid((heading, *columns), tuple(lines))


def gates(rows: dict[str, Row], networks: tuple[str, ...], where: str = "") -> list[str]:
    """Which networks do not pass the gate: better than the noisy images and than their means."""
    failures = []
    for name in networks:
        lowest = min(rows[name].seed_means)
        if under := [bar for bar in BARS if lowest <= rows[bar].mean("psnr_db")]:
            failures.append(
                f"{where}{name} fails the gate: its lowest seed ({lowest:.2f} dB) is not above {' and '.join(under)}."
            )
    return failures


def bottleneck(rows: list[Row], kind: str) -> list[str]:
    """How many channels the bottleneck has, here and in the paper, if there are autoencoders among the rows."""
    channels = {channels_of(record) for row in rows for record in row.records} - {None}
    here, paper = " or ".join(map(str, sorted(channels))), PUBLISHED["bottleneck_channels"][kind]
    return [f"Bottleneck of the autoencoder: {here} channels (the paper: {paper})."] * bool(channels)
