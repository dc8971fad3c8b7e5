"""SBD, Table 3.1: what a large field of view is worth, on electron micrographs and on photographs.

    stemjax experiment run sbd_table_3_1 --size cpu
    stemjax experiment run sbd_table_3_1 --size cpu --photos DIV2K/

(a) The networks of the paper on simulated Pt/CeO2, and a sweep that it lacks: 2, 4 and 6 scales at two widths.
(b) UNets of 2, 4 and 6 scales on photographs with Gaussian noise of 0 to 100, tested at 30 and 70 (of 255).

Every network sees the same number of crops. Where the halves are compared, at the width of the photographs, each has
the best of four learning rates, and networks of 2 and 4 scales are also trained on four times the crops. At size `cpu`
widths are a quarter of the paper's, and crops of 128 px cannot show what 893 px are worth: compare 41 and 45 px with 49
and 221. The paper finds a gain of the larger fields of view on micrographs, and none on photographs; that its 42.87 dB
for 6 scales are far above what the authors' own notebooks print, the table says. At size `cpu` 221 px gain over 49,
after 4,000 crops, 0.2 dB on micrographs and 0.0 to 0.4 on photographs, less than seeds differ; after 16,000 crops 1.0
dB on micrographs and 0.8 to 1.1 on photographs: narrow networks profit from what more scales bring on either.

Reference: Mohan et al., arXiv:2010.12970, Table 3.1.
"""

from collections.abc import Iterator
from dataclasses import replace

from experiments.cells import Cell, grid
from experiments.recorder import Recorder
from experiments.sbd import IMAGES_PER_UNIT, PUBLISHED, SOURCE, WHITE, tuned_networks
from experiments.sbd.notes import of_the_notebooks
from experiments.tuning import Search, tune_run
from experiments.workspace import Workspace
from stemjax.apply.evaluate import denoise_all, image_set
from stemjax.data.photographs import EveryPhotograph, PhotographCrops, PhotographImaging, open_photographs
from stemjax.metrics import bootstrap
from stemjax.models import presets
from stemjax.physics.noise import UniformGaussian
from stemjax.tables import field_of_view, wording
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table
from stemjax.training.train import Run

TIMES = {"smoke": "2 min", "cpu": "10 min on 2 cores after its zoo, which takes 2 h", "gpu": "not measured"}
USES_PHOTOGRAPHS = True  # `--photos` chooses them
SCALES = ("unet-2", "unet-4", "unet-6")
SWEEP = {"smoke": grid(SCALES[:2], (4,)), "cpu": grid(SCALES, (8, 16)), "gpu": grid(SCALES, (32, 64))}
# The rows of the paper that the sweep does not hold: 4 and 6 scales at its largest width.
WIDEST = {
    "smoke": (),
    "cpu": (Cell("unet-4", 32), Cell("unet-6", 32)),
    "gpu": (Cell("unet-4", 128), Cell("unet-6", 128)),
}
SMALL = {"SBD + DnCNN": ("sbd-dncnn", "dncnn"), "SBD + Small UNet": ("sbd-small-unet", "durr")}
PHOTOGRAPHS = {"smoke": grid(SCALES[:1], (4,)), "cpu": grid(SCALES, (8,)), "gpu": grid(SCALES, (32,))}
# Three seeds where micrographs and photographs are compared, at the width of the photographs.
SEEDS = {"smoke": (0,), "cpu": (0, 1, 2), "gpu": (0,)}
# Where micrographs and photographs are compared, every network chooses its learning rate on both.
SEARCH = {"smoke": None, "cpu": Search((2,), (5e-4, 1e-3, 2e-3, 4e-3), short_crops=1000), "gpu": None}
# The compared networks once more on so many times the crops, to see whether too few of them hide a gain.
LONGER_NETWORKS = ("unet-2", "unet-4")
LONGER = {"smoke": 2, "cpu": 4, "gpu": 1}  # size gpu trains as long as the paper from the start
LONGER_SEEDS = 2  # of those
SIGMAS = (30, 70)  # of 255
WINDOWS = 4  # of each photograph


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record both halves."""
    micrographs(size, workspace)
    photographs(size, workspace)


def networks(size: str, workspace: Workspace) -> Iterator[tuple]:
    """Those of both halves."""
    yield from micrograph_networks(size, workspace, workspace.pt_ceo2(size))
    yield from photograph_networks(size, workspace, open_photographs(workspace.photos))


def micrographs(size: str, workspace: Workspace) -> None:
    """Table 3.1 (a), with the sweep."""
    data = workspace.pt_ceo2(size)
    imaging = presets.sbd_run(None, size, data.recipe_hash).imaging
    rows = Recorder(size, workspace, data, image_set(data, WHITE, "test", IMAGES_PER_UNIT[size], imaging))
    _add_references(rows)
    for cell, times, run, trained, tuning in micrograph_networks(size, workspace, data):
        conditions = cell.conditions | {"crop_px": run.crops.size} | _times(times)
        rows.add_trained(cell.label, run, *trained, tuning, conditions=conditions)


def photographs(size: str, workspace: Workspace) -> None:
    """Table 3.1 (b): the training of (a), on photographs."""
    data = open_photographs(workspace.photos)
    sets = {
        sigma: image_set(
            data, EveryPhotograph(), "test", WINDOWS, PhotographImaging(UniformGaussian(sigma / 255, sigma / 255))
        )
        for sigma in SIGMAS
    }
    recorders = {sigma: Recorder(size, workspace, data, test) for sigma, test in sets.items()}
    for sigma, rows in recorders.items():
        _add_references(rows, sigma_255=sigma)
    for cell, times, run, trained, tuning in photograph_networks(size, workspace, data):
        for sigma, rows in recorders.items():
            conditions = cell.conditions | {"crop_px": run.crops.size, "sigma_255": sigma} | _times(times)
            rows.add_trained(cell.label, run, *trained, tuning, conditions=conditions)


def micrograph_networks(size: str, workspace: Workspace, data) -> Iterator[tuple]:
    """The networks of (a), trained if they are not yet.

    Yields (cell, times the crops, run, (variables, info, outcome), tuning).
    """
    for preset, network in SMALL.values():
        for run, variables, info, outcome, tuning in tuned_networks(preset, size, workspace, data):
            yield Cell(network, run.denoiser.network.width), 1, run, (variables, info, outcome), tuning
    for cell in (*SWEEP[size], *WIDEST[size]):
        first, compared = cell.run(size, data.recipe_hash, 0), cell in PHOTOGRAPHS[size]
        seeds, search = (SEEDS[size], SEARCH[size]) if compared else (SEEDS[size][:1], None)
        longer = LONGER[size] if compared and cell.network in LONGER_NETWORKS else 1
        for trained in _tuned(cell.label, first, search, seeds, longer, workspace, data):
            yield cell, *trained


def photograph_networks(size: str, workspace: Workspace, data) -> Iterator[tuple]:
    """The networks of (b), as those of `micrograph_networks`."""
    for cell in PHOTOGRAPHS[size]:
        run = cell.run(size, data.recipe_hash, seed=0)
        crops = PhotographCrops(run.crops.size, run.crops.count)
        run = replace(run, imaging=PhotographImaging(), crops=crops, selection=EveryPhotograph())
        longer = LONGER[size] if cell.network in LONGER_NETWORKS else 1
        label = f"{cell.label}, photographs"
        for trained in _tuned(label, run, SEARCH[size], SEEDS[size], longer, workspace, data):
            yield cell, *trained


def _tuned(
    label: str, run: Run, search: Search | None, seeds, longer: int, workspace: Workspace, data
) -> Iterator[tuple]:
    """Every seed of a run with the learning rate that the search chooses, and once more on `longer` times the crops.

    Yields (times the crops, run, (variables, info, outcome), tuning).
    """
    tuned, tuning = tune_run(label, run, search, workspace, data)
    for times in sorted({1, longer}):
        stretched = replace(tuned, steps=times * tuned.steps, validate_every=times * tuned.validate_every)
        for seed in seeds if times == 1 else seeds[:LONGER_SEEDS]:
            seeded = replace(stretched, seed=seed)
            name = f"{label}, {times} x the crops, seed {seed}" if times > 1 else f"{label}, seed {seed}"
            yield times, seeded, workspace.trained(seeded, data, name), tuning


def _times(times: int) -> dict:
    """The condition of a row that saw more crops than the others."""
    return {"times_crops": times} if times > 1 else {}


def _add_references(rows: Recorder, **conditions) -> None:
    """The noisy images themselves, and the constant that every network must beat."""
    constant = presets.PRESETS["constant"].denoiser
    rows.add("Raw", constant, rows.test.noisy, is_raw=True, conditions=conditions)
    rows.add("Constant", constant, denoise_all(constant, {}, rows.test.noisy), conditions=conditions)


# ---------------------------------------------------------------------------------------------------- the table
# The paper's base channels to one of ours; networks narrower than a quarter have no row in the paper.
NARROWER = {"gpu": 1, "cpu": 4}
GAINS = (("unet-2", "unet-4"), ("unet-4", "unet-6"))
ALIKE = (0.8, 1.25)  # ratios of numbers of parameters that are nearly equal


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Both halves, what a larger field of view gains on each, and PSNR against field of view on the micrographs."""
    size, parts = records[0]["size"], {}
    for record in records:
        parts.setdefault(_part(record), []).append(record)
    grids, data, gains, notes, plots, captions, compared, alike = [], [], [], [], {}, [], {}, ""
    for times, sigma in sorted(parts):
        rows = field_of_view.by_field_of_view(gather(parts[times, sigma], scores))
        subject = f"Photographs, noise {sigma}" if sigma else "Micrographs (Pt/CeO2)"
        subject += f", {times} x the crops" if times > 1 else ""
        captions.append(f"{subject}: {field_of_view.conditions_of(parts[times, sigma])}")
        published = {row.method: _published(row, sigma, NARROWER.get(size)) for row in rows}
        figures = [field_of_view.figures_of(row) | published[row.method] | {"images": subject} for row in rows]
        columns = (subject, "Parameters", "Field of view [px]", "PSNR [dB], 95 % interval", "SSIM", "Seeds: PSNR [dB]")
        printed = [
            (*field_of_view.printed(f), _text(f["published_psnr_db"]), _difference(f), _text(f["published_ssim"]))
            for f in figures
        ]
        grids.append(Grid((*columns, "Published PSNR [dB]", "Difference [dB]", "Published SSIM"), tuple(printed)))
        data += figures
        gains += _gains(subject, rows)
        compared.setdefault(times, {})[sigma] = _compared(rows)
        alike = alike or _alike(rows, subject)
        notes += [note for note in field_of_view.notes_of(rows) if note not in notes]
        if (times, sigma) == (1, 0):
            plots["field_of_view"] = lambda rows=rows: field_of_view.draw(
                [r for r in rows if r.records[0]["field_of_view"]]
            )
    if gains:
        steps = ("49 to 221 px", "221 to 893 px")
        columns = ("Gain of a larger field of view [dB], 95 % interval", "Base channels", *steps)
        grids.append(Grid(columns, tuple(gains)))
    notes += _verdict(compared, alike)
    notes += [
        "Gains are paired over the same images; intervals are over structures or photographs and, where there are "
        "several, over seeds.",
        "Learning rate and batch: DnCNN and the small UNet have what the search of Table 5.1 chose for them. UNets of "
        "the photographs' width have the best of four rates, chosen on each half; wider ones have the rate that Table "
        "5.1 chose for 4 scales at 16 base channels.",
        "In crops of 128 px a network of 6 scales has 2 x 2 pixels at its coarsest, too few for the statistics of its "
        "normalisation: some of its trainings hardly leave the level of the constant (see its seeds).",
        "Published figures stand beside the network of the same relative width.",
        of_the_notebooks(),
    ]
    title = wording.title("Table 3.1", SOURCE, records)
    return Table(title, "\n\n".join(captions), tuple(grids), tuple(notes), tuple(data), plots)


def _published(row: Row, sigma: int, narrower: int | None) -> dict:
    """The paper's figures for a row; empty where it has none."""
    empty = {"published_psnr_db": "", "published_ssim": ""}
    conditions = row.records[0]["conditions"]
    if narrower is None or "network" not in conditions:
        return empty
    name = {"dncnn": "DnCNN", "durr": "Small UNet (DURR)"}.get(conditions["network"])
    if name is None:
        scales = conditions["network"].removeprefix("unet-")
        name = f"UNet, {scales} scales, {conditions['width'] * narrower} base channels"
    table = PUBLISHED["table_3_1_photographs" if sigma else "table_3_1_tem"]
    suffix = f"_sigma{sigma}" if sigma else ""
    for published in table:
        if published["model"] == name:
            return {"published_psnr_db": published["psnr" + suffix], "published_ssim": published["ssim" + suffix]}
    return empty


def _gains(subject: str, rows: list[Row]) -> list[tuple[str, ...]]:
    """For every width, the difference in PSNR of UNets with more and fewer scales."""
    networks = _networks(rows)
    lines = []
    for width in sorted({width for _, width in networks}):
        cells = [_gain(networks.get((small, width)), networks.get((large, width))) for small, large in GAINS]
        if any(cells):
            lines.append((subject, str(width), *cells))
    return lines


def _networks(rows: list[Row]) -> dict[tuple[str, int], Row]:
    """The rows of networks by kind and width."""
    with_conditions = ((row.records[0]["conditions"], row) for row in rows)
    return {
        (conditions["network"], conditions["width"]): row
        for conditions, row in with_conditions
        if "network" in conditions
    }


def _compared(rows: list[Row]) -> tuple[tuple[float, float, float], float] | None:
    """Gain of 4 scales over 2 where both have the most seeds: (mean, low, high) and the widest range of the seeds [dB].

    None where there is no such pair, or no interval.
    """
    networks = _networks(rows)
    pairs = [(row, networks.get(("unet-4", width))) for (kind, width), row in networks.items() if kind == "unet-2"]
    pairs = [pair for pair in pairs if None not in pair]
    if not pairs:
        return None
    small, large = max(pairs, key=lambda pair: min(len(row.records) for row in pair))
    gain = bootstrap.difference(large.psnr_db, small.psnr_db, large.units)
    return gain and (gain, max(max(row.seed_means) - min(row.seed_means) for row in (small, large)))


def _alike(rows: list[Row], subject: str) -> str:
    """What 4 scales gain over 2 scales of another width with nearly as many parameters, in words; "" without a pair."""
    networks = {key: row for key, row in _networks(rows).items() if key[0] in ("unet-2", "unet-4")}
    small, large = ([row for (kind, _), row in networks.items() if kind == name] for name in ("unet-2", "unet-4"))
    pairs = [(one, other, _parameters(one) / _parameters(other)) for one in small for other in large]
    for one, other, ratio in pairs:
        if ALIKE[0] < ratio < ALIKE[1]:
            return (
                f"At nearly equal numbers of parameters ({_parameters(one):,} and {_parameters(other):,}) the gain is "
                f"{_gain(one, other)} dB ({subject})"
            )
    return ""


def _parameters(row: Row) -> int:
    return row.records[0]["parameters"]


def _verdict(compared: dict[int, dict[int, tuple | None]], alike: str) -> list[str]:
    """Whether a larger field of view helps micrographs clearly more than photographs, and what may hide it."""
    complete = {times: halves for times, halves in compared.items() if len(halves) > 1 and None not in halves.values()}
    if 1 not in complete:
        return []
    if _shows(complete[1]):
        return ["A field of view of 221 px instead of 49 helps micrographs clearly more than photographs."]
    sentences = [
        "The paper's finding, that 221 px instead of 49 help micrographs and not photographs, does not show at this "
        f"size: where both have the most seeds, {_gains_of(complete[1])}."
    ]
    for times, halves in complete.items():
        if times > 1:
            outcome = (
                f"It shows with {times} times the crops: too few of them hid it"
                if _shows(halves)
                else f"It does not show with {times} times the crops either, so too few crops are not the only reason"
            )
            sentences.append(f"{outcome}: {_gains_of(halves)}.")
    sentences.append(
        "More scales bring more parameters as well as a larger field of view. Such narrow networks may lack both, on "
        "photographs as on micrographs; the paper's networks do not."
        + (f" {alike}." if alike else "")
        + " Crops of 128 px show only a part of 221 px; what that costs is not tested."
    )
    return [" ".join(sentences)]


def _shows(halves: dict[int, tuple]) -> bool:
    """Micrographs gain more than the upper ends of the photographs' intervals, which hold the spread of the seeds."""
    (_, low, _), _ = halves[0]
    return low > max(upper for sigma, ((_, _, upper), _) in halves.items() if sigma)


def _gains_of(halves: dict[int, tuple]) -> str:
    """The gains on both halves and the range of the seeds, in words."""
    intervals = {sigma: f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]" for sigma, ((mean, low, high), _) in halves.items()}
    photographs = " and ".join(text for sigma, text in intervals.items() if sigma)
    widest = max(spread for _, spread in halves.values())
    return (
        f"micrographs gain {intervals[0]} dB, photographs {photographs} dB, and the seeds of one network differ by up "
        f"to {widest:.2f} dB"
    )


def _part(record: dict) -> tuple[int, int]:
    """Which grid a record stands in: (times the crops, noise of photographs or 0)."""
    return record["conditions"].get("times_crops", 1), record["conditions"].get("sigma_255", 0)


def _gain(small: Row | None, large: Row | None) -> str:
    if small is None or large is None:
        return ""
    gain = bootstrap.difference(large.psnr_db, small.psnr_db, large.units)
    if gain is None:
        return f"{large.mean('psnr_db') - small.mean('psnr_db'):+.2f}"
    return f"{gain[0]:+.2f} [{gain[1]:+.2f}, {gain[2]:+.2f}]"


def _difference(figures: dict) -> str:
    """Ours minus the paper's [dB]."""
    published = figures["published_psnr_db"]
    return "" if published == "" else f"{figures['psnr_db'] - published:+.2f}"


def _text(value) -> str:
    return "" if value == "" else f"{value:.2f}"
