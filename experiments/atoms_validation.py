"""How far a network for all doses is better than the best Gaussian filter, for every kind of image and every dose.

    python -m experiments.atoms_validation --run runs/HASH --data data/atoms-gpu

The Gaussian filter has every advantage that it could have: its width is the best one for the kind and the dose, and
beside it stands the best one for each single image, both chosen on these very images with the clean ones at hand. Of
the network nothing is chosen: it is told neither kind nor dose. Expect it above the filter of the dose everywhere, and
nowhere below the noisy image by more than a tenth of a dB: at high counts there is little to gain and much to lose.
About 10 minutes on 2 cores for 16 images of each kind.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from skimage.metrics import peak_signal_noise_ratio

from stemjax.apply.evaluate import denoise_all
from stemjax.data import datasets
from stemjax.data.atoms import StillImaging, Stills
from stemjax.denoisers.gaussian import Gaussian
from stemjax.models import presets

DOSES = (0.05, 0.2, 1.0, 5.0, 20.0, 100.0, 500.0, 2000.0)  # counts per pixel
WIDTHS = tuple(float(np.round(0.25 * 2 ** (step / 2), 3)) for step in range(14))  # px, 0.25 to 23

MEANS, WORST = ("noisy", "gaussian", "best_gaussian", "network"), ("worst_against_noisy", "worst_against_gaussian")


@dataclass(frozen=True)
class Cell:
    """Scores of one kind at one dose [dB], means over images unless they say otherwise.

    Parameters
    ----------
    noisy, gaussian, best_gaussian, network : float
        PSNR of the noisy images; of one Gaussian filter for all of them, the best; of the best of each; of the network.
    sigma : float
        Standard deviation of that one filter [px]; 0 is none.
    worst_against_noisy, worst_against_gaussian : float
        Smallest gain of the network over the noisy image, and over the Gaussian filter of the dose, among the images.
    """

    kind: str
    counts: float
    images: int
    noisy: float
    gaussian: float
    best_gaussian: float
    network: float
    sigma: float
    worst_against_noisy: float
    worst_against_gaussian: float


def psnr_db(clean: np.ndarray, images: np.ndarray) -> np.ndarray:
    """PSNR [M] of images [M, H, W, C], by protocol ``stem``: the range is that of each clean image."""
    pairs = zip(clean, images, strict=True)
    return np.array([peak_signal_noise_ratio(true, test, data_range=float(np.ptp(true))) for true, test in pairs])


def validate(data: datasets.DataSet, denoise: Callable, kind: str, counts: float, split: str, per_unit: int) -> Cell:
    """The scores of ``denoise(noisy) -> denoised`` [M, H, W, 1] on the stills of a kind at a dose."""
    images, imaging = Stills((kind,), per_unit).images(data, split), StillImaging(counts)
    clean, noisy = imaging.clean_images(data, images), imaging.noisy_images(data, images)
    raw, network = psnr_db(clean, noisy), psnr_db(clean, denoise(noisy))
    filtered = np.stack([raw, *(psnr_db(clean, np.asarray(Gaussian(width).denoise({}, noisy))) for width in WIDTHS)])
    best = int(filtered.mean(1).argmax())
    return Cell(
        kind,
        counts,
        len(images),
        *(float(np.mean(values)) for values in (raw, filtered[best], filtered.max(0), network)),
        (0.0, *WIDTHS)[best],
        float(np.min(network - raw)),
        float(np.min(network - filtered[best])),
    )


def as_markdown(cells: list[Cell]) -> str:
    """The scores as text, a line for each kind and dose, and the means over kinds for each dose."""
    head = "kind             counts  noisy  Gaussian (sigma)  best of each  network | gain over: Gaussian  best | worst"
    lines = [head + " image over: noisy  Gaussian"]
    for counts in sorted({cell.counts for cell in cells}):
        alike = [cell for cell in cells if cell.counts == counts]
        mean = {n: float(np.mean([getattr(cell, n) for cell in alike])) for n in MEANS}
        worst = {n: min(getattr(cell, n) for cell in alike) for n in WORST}
        every = Cell("all kinds", counts, sum(cell.images for cell in alike), **mean, sigma=float("nan"), **worst)
        lines += [_line(cell) for cell in (*alike, every)]
    return "\n".join(lines)


def _line(cell: Cell) -> str:
    sigma = "" if np.isnan(cell.sigma) else f"({cell.sigma:.2f})"
    gains = cell.network - cell.gaussian, cell.network - cell.best_gaussian
    return (
        f"{cell.kind:16} {cell.counts:6g} {cell.noisy:6.2f} {cell.gaussian:9.2f} {sigma:>7} {cell.best_gaussian:13.2f}"
        f" {cell.network:8.2f} | {gains[0]:19.2f} {gains[1]:5.2f} | {cell.worst_against_noisy:23.2f}"
        f" {cell.worst_against_gaussian:9.2f}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Command line of ``python -m experiments.atoms_validation``; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.atoms_validation", description=__doc__.split("\n")[0])
    parser.add_argument("--run", "--model", dest="model", default="atoms", help="folder of a run, or name of a model")
    parser.add_argument("--data", type=Path, default=Path("data/atoms-gpu"), help="folder of the data set of stills")
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--images", type=int, default=16, help="stills of each kind")
    parser.add_argument("--json", type=Path, help="file for the scores")
    chosen = parser.parse_args(arguments)
    try:
        denoiser, variables, _ = presets.load_model(chosen.model)
        data = datasets.open_data_set(chosen.data)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    denoise = lambda noisy: denoise_all(denoiser, variables, noisy)
    kinds = list(dict.fromkeys(item["kind"] for item in data.items if item["split"] == chosen.split))
    cells = [validate(data, denoise, kind, dose, chosen.split, chosen.images) for kind in kinds for dose in DOSES]
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(cell) for cell in cells], indent=1) + "\n")
    print(as_markdown(cells))
    return 0


if __name__ == "__main__":
    sys.exit(main())
