"""Noise2Void for STEM, Figure 2: chequerboards, of a mask that never moves and of transposed convolutions.

    stemjax experiment run n2v_figure_2 --size cpu

The paper's first network left chequerboards; displacing the masked pixels ("jitter") and resizing before the
convolution instead of transposing it took them away. Here is each alone and both together: the paper's grid, one
masked pixel in 26 x 26 at its size, without and with jitter, with transposed convolutions (without jitter, its worst
case) and with resizing; and the standard network of the size, whose grid moves as a whole, with either. A chequerboard
is energy at the frequencies of the grid, or of the poolings, above that beside them, with clean and noisy frames for
reference. Frequencies that belong to several count once, for the pooling of the shortest period.

At size `cpu` the grid has one masked pixel in 6 x 6, so that a short training shows something; and the noise is of 16
dB, for at 7 dB so few masked pixels teach little in it. Like 26, 6 is an even number that is no multiple of 4: without
jitter the loss sees only pixels of even rows and columns, and a network that knows them by its poolings may do as it
likes at all others. So a mask that never moves is to be looked for at a period of 2 px, not at its own.

Expect at size `cpu` (ADF: denoised frames, poolings, 2 px): Fixed grid, transposed: +30.1; Fixed grid, resized: +13.9;
Jittered grid, transposed: +6.1; Random grid, resized: +1.6.

Expect at size `cpu` (ADF: denoised frames, PSNR [dB]): Fixed grid, transposed: 31.57; Random grid, resized: 39.74.

Reference: Thornley et al., "Noise2Void for Denoising Atomic Resolution Scanning Transmission Electron Microscopy
Images", Figure 2.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.ndimage import maximum_filter

from experiments import n2v
from experiments.movie_methods import Method, Trained, one_movie
from experiments.n2v import CHANNELS, SOURCE
from experiments.n2v.methods import lattices
from experiments.n2v.notes import CONTRACT, ONE_SEED, few_movies, signed
from experiments.pictures import displayed
from experiments.recorder import Recorder
from experiments.workspace import Workspace
from stemjax import records
from stemjax.apply.evaluate import ImageSet
from stemjax.data import datasets
from stemjax.denoisers.constant import Constant
from stemjax.denoisers.noise2void import Noise2Void
from stemjax.figures import Panel
from stemjax.figures.montage import montage
from stemjax.metrics import bootstrap
from stemjax.metrics.spectrum import chequerboard_db, power_spectrum
from stemjax.models import presets
from stemjax.tables import wording
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table

TIMES = {"smoke": "1 min", "cpu": "15 min on 2 cores, 5 trainings beside those of n2v_table_s1", "gpu": "not measured"}
PSNR_DB = 16.0
GRID = {"smoke": (4, 2), "cpu": (4, 2), "gpu": (24, 2)}  # pitch and jitter of the paper's grid [px]
UPSAMPLING = {"transposed": "transposed", "resized": "resize"}
ENLARGED = 40  # px
DEEPEST_DB = -60.0  # of a spectrum, below the noise


def run(size: str, workspace: Workspace) -> None:
    """Train, measure and record every network; draw the picture."""
    data, imaging = workspace.au_graphene(size), n2v.imaging_of(PSNR_DB)
    test = n2v.unseen(data, size, imaging)
    methods = [Method("Noisy"), Method("Constant", Constant())]
    for label, learnt in networks(size, workspace):
        methods.append(Method(label, learnt.run.denoiser, learnt.variables, trained=learnt))
    denoised = {method.label: method.denoise(test) for method in methods}

    rows = Recorder(size, workspace, data, test)
    pitch, jitter = GRID[size]
    conditions = {"grid_step_px": pitch + jitter, "jitter_px": jitter}
    depth = methods[-1].denoiser.network.depth
    _record_clean(
        rows, chequerboards(test.clean, data, test, pitch + jitter, depth), conditions | {"measured_on": "frame"}
    )
    for method in methods:
        frames = denoised[method.label]
        for measured_on, images in (("frame", frames), ("error", frames - test.clean)):
            extra = chequerboards(images, data, test, pitch + jitter, depth)
            method.record(rows, frames, extra, conditions=conditions | {"measured_on": measured_on})
    frames_of = {"Clean": test.clean} | {label: frames for label, frames in denoised.items() if label != "Constant"}
    montage(pictures(frames_of, test), workspace.picture(size), sampling=imaging.sampling)


def networks(size: str, workspace: Workspace) -> Iterator[tuple[str, Trained]]:
    """Every network, trained if it is not yet."""
    data = workspace.au_graphene(size)
    for label, denoiser in denoisers(size):
        yield label, n2v.trained(size, workspace, data, n2v.imaging_of(PSNR_DB), label, denoiser)


def denoisers(size: str) -> Iterator[tuple[str, Noise2Void]]:
    """The paper's grid without and with jitter, and the standard network's, each with both kinds of upsampling."""
    standard = presets.find_preset("noise2void").at(size)
    pitch, jitter = GRID[size]
    grids = {
        "Fixed grid": replace(standard, pitch=pitch + jitter, jitter=0, offset="none"),
        "Jittered grid": replace(standard, pitch=pitch, jitter=jitter, offset="none"),
        "Random grid": standard,
    }
    for grid, denoiser in grids.items():
        for label, upsampling in UPSAMPLING.items():
            yield f"{grid}, {label}", replace(denoiser, network=denoiser.network.clone(upsampling=upsampling))


def chequerboards(
    images: np.ndarray, data: datasets.DataSet, test: ImageSet, step: int, depth: int
) -> list[dict[str, float]]:
    """Energy [dB] of every frame [M, H, W, C] and channel, as scores.

    At the frequencies of each pooling that are not those of a finer one, and at those of the mask, of which one pixel
    in step x step is, that are of no pooling. Spots of the lattice are left out.
    """
    pitches = {f"_{2**k}": (2**k, 2 ** (k - 1)) for k in range(1, 1 + depth)} | {"": (step, 2**depth)}
    return [
        {
            f"{channel}_chequerboard{name}_db": chequerboard_db(
                image[..., number], pitch, np.concatenate([lattice.spots(), _multiples(counted)])
            )
            for number, channel in enumerate(test.imaging.channels)
            for name, (pitch, counted) in pitches.items()
        }
        for image, lattice in zip(images, lattices(data, test), strict=True)
    ]


def _multiples(pitch: int) -> np.ndarray:
    """Frequencies (y, x) of a square grid [cycles/px], float [pitch², 2]."""
    return np.indices((pitch, pitch)).reshape(2, -1).T / pitch


def _record_clean(rows: Recorder, spectra: list[dict], conditions: dict) -> None:
    """The clean frames have no PSNR, but a spectrum to compare with."""
    test = rows.test
    named = zip(test.name, test.images.unit, strict=True)
    scores = [{"image": name, "unit": str(unit)} | row for (name, unit), row in zip(named, spectra, strict=True)]
    record = records.new_record(
        experiment=rows.workspace.experiment,
        method="Clean",
        denoiser=None,
        data_set=rows.data,
        imaging=test.imaging,
        protocol=test.imaging.protocol,
        size=rows.size,
        scores=scores,
        conditions=conditions,
    )
    records.append(rows.workspace.results / "records", record, scores)


def pictures(frames_of: dict[str, np.ndarray], test: ImageSet) -> dict[str, list[Panel]]:
    """Per channel the middle of a frame, enlarged, and the mean spectrum of a movie's frames.

    The spectrum begins at -1/4 cycles per pixel, so that neither 0 nor half a cycle lies at its border; each point
    shows the largest value around it, since a chequerboard is but a point.
    """
    height, width = test.clean.shape[1:3]
    top, left = (height - ENLARGED) // 2, (width - ENLARGED) // 2
    reach = 1 + 2 * (width // 100)
    movie, panels = one_movie(test), {}
    for number, channel in enumerate(test.imaging.channels):
        noise = np.var(test.noisy[movie, ..., number] - test.clean[movie, ..., number])
        frames, spectra = [], []
        for label, images in frames_of.items():
            planes = images[movie, ..., number]
            part = planes[0, top : top + ENLARGED, left : left + ENLARGED]
            frames.append(Panel(label, displayed(part, channel), is_noisy=label == "Noisy"))
            power = np.mean([power_spectrum(plane) for plane in planes], axis=0)
            power = maximum_filter(np.roll(power, (height // 4, width // 4), (0, 1)), reach, mode="wrap")
            spectra.append(Panel(label, 10 * np.log10(np.maximum(power / noise, 10 ** (DEEPEST_DB / 10)))))
        panels |= {f"{channel.upper()}, enlarged": frames, f"{channel.upper()}, spectrum": spectra}
    return panels


# ---------------------------------------------------------------------------------------------------- the table
CLEAN, WORST = "Clean", "Fixed grid, transposed"
PARTS = {"frame": "denoised frames", "error": "denoised - clean"}


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Energy at the frequencies of the mask and of the poolings, in the frames and in their error, by network."""
    grids, data = [], []
    for part, label in PARTS.items():
        chosen = [record for record in records if record["conditions"]["measured_on"] == part]
        rows = gather([record for record in chosen if record["method"] != CLEAN], scores)
        clean = [record for record in chosen if record["method"] == CLEAN]
        for channel, name in CHANNELS.items():
            lines = [_of_clean(record, channel) for record in clean]
            lines += [_of_row(row, rows[WORST], channel) for row in rows.values()]
            data += [{"measured_on": part, "channel": channel} | line for line in lines]
            grids.append(_grid(f"{name}: {label}", lines, records[0]["conditions"]["grid_step_px"]))
    row, (step, jitter) = rows[WORST], (records[0]["conditions"][name] for name in ("grid_step_px", "jitter_px"))
    first = records[0]
    noise = first["imaging"]["noise"]["psnr_db"]
    caption = (
        f"{wording.data_set(first)}; {first['images']} frames of "
        f"{len(first['units'])} movies of the {first['split']} split, which no training saw, with Gaussian noise at a "
        f"PSNR of {noise:g} dB. {CONTRACT} Energy in dB: |F|² at the multiples of 1 / period over that at the "
        "frequencies beside them, mean over movies of the frames' values. Spots of the lattice are left out, and what "
        "belongs to a pooling of a shorter period; of the mask, what belongs to any pooling."
    )
    notes = (
        f"Fixed grid: the paper's, one masked pixel in {step} x {step} from the corner on, the same in every crop; "
        f"jittered: each displaced by -{jitter} to {jitter - 1} px; random: the standard mask of the size, one pixel "
        f"in {_standard_step(rows)} x {_standard_step(rows)}, moved as a whole for every batch.",
        "Smooth images have least power at half a cycle per pixel, so that clean frames stand below 0 dB; white noise, "
        "by the logarithm of few frequencies, stands a little below. A chequerboard is what exceeds both.",
        "Without jitter an even step of the mask leaves every other row and column out of the loss. A network tells "
        "them apart by its poolings alone, so that this is to be looked for at a period of 2 px.",
        "Transposed: upsampling by transposed convolutions; resized: by interpolation before the convolution.",
        "Picture: spectra from -1/4 to 3/4 cycles per pixel, to the right and downwards, so that 0 lies at a quarter "
        "and half a cycle per pixel at three quarters; logarithmic, every point the largest value around it.",
        "In brackets: 95 % interval over movies, of paired differences to the worst case."
        if any(line["low_db"] != "" for line in data)
        else few_movies(row),
        ONE_SEED,
    )
    title = wording.title("Figure 2", SOURCE, records)
    return Table(title, caption, tuple(grids), notes, tuple(data))


def _standard_step(rows: dict[str, Row]) -> int:
    """Distance of the masked pixels of the standard network [px]."""
    denoiser = next(row.records[0]["denoiser"] for name, row in rows.items() if name.startswith("Random grid"))
    return denoiser.get("pitch", 24) + denoiser.get("jitter", 2)


def _names(record: dict, channel: str) -> dict[str, str]:
    """Score of every pitch: "mask", and those of the poolings [px]."""
    start = f"{channel}_chequerboard"
    pitches = [name for name in record["scores"] if name.startswith(start)]
    names = {name.removeprefix(start).removesuffix("_db").removeprefix("_") or "mask": name for name in pitches}
    return {pitch: names[pitch] for pitch in sorted(names, key=lambda pitch: (not pitch.isdigit(), len(pitch), pitch))}


def _of_clean(record: dict, channel: str) -> dict:
    energy = {pitch: record["scores"][name] for pitch, name in _names(record, channel).items()}
    blank = dict.fromkeys(("psnr_db", "difference_db", "low_db", "high_db"), "")
    return {"network": record["method"]} | blank | energy | {"records": wording.record_ids([record])}


def _of_row(row: Row, worst: Row, channel: str) -> dict:
    name = f"{channel}_chequerboard_2_db"
    difference = low = high = ""
    if row is not worst and row.records[0]["run"]:
        difference = round(row.mean(name) - worst.mean(name), 6)
        estimate = bootstrap.difference(row.scores[name], worst.scores[name], row.units)
        low, high = (round(end, 6) for end in estimate[1:]) if estimate else ("", "")
    energy = {pitch: round(row.mean(score), 6) for pitch, score in _names(row.records[0], channel).items()}
    return (
        {"network": row.method, "psnr_db": round(row.mean(f"{channel}_psnr_db"), 6)}
        | {"difference_db": difference, "low_db": low, "high_db": high}
        | energy
        | {"records": wording.record_ids(row.records)}
    )


def _grid(heading: str, lines: list[dict], step: int) -> Grid:
    pitches = [name for name in lines[0] if name == "mask" or name.isdigit()]
    printed = []
    for line in lines:
        psnr = "" if line["psnr_db"] == "" else f"{line['psnr_db']:.2f}"
        cells = [f"{line[pitch]:+.1f}" for pitch in pitches]
        printed.append((line["network"], psnr, *cells, signed(line["difference_db"], line["low_db"], line["high_db"])))
    columns = [f"mask, {step} px" if pitch == "mask" else f"poolings, {pitch} px" for pitch in pitches]
    return Grid((heading, "PSNR [dB]", *columns, "2 px: difference to the worst case [dB]"), tuple(printed))
