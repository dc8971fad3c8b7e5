"""SBD: the dose that it takes to find the atoms of a surface, which the paper does not have.

    stemjax experiment run sbd_dose --size cpu

Recall and F1 of the surface columns of the 44 defect structures at 5 doses, a quarter to four times that of the
training, for the UNet trained at one dose (188 e/Å² at size `cpu`), the same UNet trained at doses drawn log-uniformly
from that range, and a Gaussian filter tuned at each dose on the validation structures, as is each method's threshold
for columns; with the dose at which each reaches a surface F1 of 0.95. Matched one to one with the atomic model, expect
the UNet of one dose to lead below its own dose (0.81 against 0.73 and 0.72 at 94 e/Å²), all three to be alike above it,
and 0.95 at 300 to 350 e/Å² for each, with intervals over structures that overlap; by the paper's metric at 360 to 490.

Reference: Mohan et al., arXiv:2010.12970, section 5.3, for the metrics.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from experiments.recorder import Recorder
from experiments.sbd import IMAGES_PER_UNIT, SOURCE, WHITE, tuned_network
from experiments.sbd.surface_atoms import ALIKE, DEFOCI, Reference, add_both, surface_images, tune_threshold
from experiments.sbd.surface_tables import RULES, common_notes, estimated, mean_of, series_of
from experiments.workspace import Workspace
from stemjax import figures
from stemjax.apply.evaluate import denoise_all, image_set, tune
from stemjax.metrics import bootstrap
from stemjax.metrics.atoms import RATIOS
from stemjax.metrics.dose import LEVEL, dose_reaching
from stemjax.models import presets
from stemjax.tables import wording
from stemjax.tables.rows import Row
from stemjax.tables.table import Grid, Table
from stemjax.training import recipes

TIMES = {"smoke": "1 min", "cpu": "8 min on 2 cores after the training of Table 5.1", "gpu": "not measured"}
DOSES = {"smoke": (0.5, 2.0), "cpu": (0.25, 0.5, 1.0, 2.0, 4.0), "gpu": (0.25, 0.5, 1.0, 2.0, 4.0)}  # of the training's
TRAINED_DOSES = (0.25, 4.0)
DEFOCI_OF = {"smoke": (80.0,), "cpu": (80.0,), "gpu": DEFOCI}  # Å


def run(size: str, workspace: Workspace) -> None:
    """Train at doses from the whole range, score every method at every dose."""
    data, surface = workspace.pt_ceo2(size), workspace.pt_ceo2_surface(size)
    imaging = recipes.SBD_TRAINING[size]["imaging"]
    learnt = networks(size, workspace)
    for dose in DOSES[size]:
        dosed = replace(imaging, counts=dose * imaging.counts)
        condition = {"dose_e_per_angstrom2": round(dosed.dose())}
        print(f"{dosed.dose():.0f} e/Å²", flush=True)
        test = surface_images(surface, dosed, DEFOCI_OF[size])
        reference = Reference.of(surface, test)
        rows = Recorder(size, workspace, surface, test)
        validation, alike = (
            image_set(data, selection, "validation", IMAGES_PER_UNIT[size], dosed) for selection in (WHITE, ALIKE)
        )
        gaussian, chosen = tune(presets.PRESETS["gaussian"].denoiser, validation)
        methods = {"Gaussian filter": (gaussian, {}, partial(rows.add, "Gaussian filter", gaussian), chosen)}
        for method, (run, variables, *rest, tuning) in learnt.items():
            add = partial(rows.add_trained, method, run, variables, *rest)
            methods[method] = run.denoiser, variables, add, tuning
        for denoiser, variables, add, how in methods.values():
            threshold = tune_threshold(data, alike, denoiser, variables)
            denoised = denoise_all(denoiser, variables, test.noisy)
            add_both(add, denoised, reference, threshold, how, **condition)


def networks(size: str, workspace: Workspace) -> dict[str, tuple]:
    """Both networks: label -> (run, variables, info, outcome, how the first was tuned)."""
    data = workspace.pt_ceo2(size)
    fixed, *trained, tuning = tuned_network("sbd-unet-4x64", size, workspace, data)
    ranging = replace(fixed, crops=replace(fixed.crops, counts_range=TRAINED_DOSES))
    label = "UNet, log-uniform dose"
    ranged = workspace.trained(ranging, data, label)
    return {"UNet, one dose": (fixed, *trained, tuning), label: (ranging, *ranged, tuning)}


# ---------------------------------------------------------------------------------------------------- the table


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Recall and F1 of surface columns against dose, and the dose that a surface F1 of 0.95 takes."""
    series = series_of(records, scores, "dose_e_per_angstrom2")
    doses = sorted({dose for rows in series.values() for dose in rows})
    trained_at = (
        f"{np.sqrt(doses[0] * doses[-1]):.0f} e/Å²"  # the experiment puts its doses evenly about the training's
    )
    series = {(method.replace("one dose", f"one dose, {trained_at}"), rule): v for (method, rule), v in series.items()}
    grids_of = (
        ("strict_", "tuned", "one to one with the atomic model"),
        *(("", rule, "as the paper") for rule in RULES),
    )
    words, grids = {"f1": "F1", "recall": "recall"}, []
    for ratio, word in words.items():
        for kind, rule, how in grids_of:
            name, printed = f"{kind}surface_{ratio}", []
            for (method, its_rule), rows in series.items():
                cells = [mean_of(rows[dose], name) if dose in rows else "not run" for dose in doses]
                reached = _dose_text(rows, name) if len(rows) == len(doses) else "not run"
                printed += [(method, *cells, *[reached] * (ratio == "f1"))] * (its_rule == rule)
            columns = (f"Surface {word}, {how}, {RULES[rule]}", *(f"{dose:g} e/Å²" for dose in doses))
            grids.append(Grid((*columns, *[f"Dose for {LEVEL:g} [e/Å²]"] * (ratio == "f1")), tuple(printed)))
    data = []
    for (method, rule), rows in series.items():
        for dose, row in rows.items():
            figures_ = {"psnr_db": round(row.mean("psnr_db"), 6)}
            for name in [f"{kind}surface_{ratio}" for kind in ("strict_", "") for ratio in RATIOS]:
                figures_ |= estimated(row, name, name)
            data.append(
                {
                    "method": method,
                    "threshold": rule,
                    "dose_e_per_angstrom2": dose,
                    **figures_,
                    "records": wording.record_ids(row.records),
                }
            )
    first, any_row = records[0], next(iter(next(iter(series.values())).values()))
    caption = (
        f"{first['images']} images of {len(set(any_row.units))} structures at each dose, pixels of "
        f"{first['imaging']['sampling']:g} Å. {wording.data_set(first)}."
    )
    plots = {
        ratio: partial(
            figures.lines,
            {
                method: _line(rows, f"strict_surface_{ratio}")
                for (method, rule), rows in series.items()
                if rule == "tuned"
            },
            "Dose [e/Å²]",
            f"Surface {word}, one to one with the model",
            log_x=True,
            level=(f"{LEVEL:g}", LEVEL) if ratio == "f1" else None,
        )
        for ratio, word in words.items()
    }
    notes = (
        f"The dose for {LEVEL:g} is where the mean first reaches it, interpolated on the logarithm of the dose; its "
        "interval is of the same resampled structures at every dose.",
        f"The UNet of one dose was trained at {trained_at} alone, the other one at doses from the whole range, with "
        "the batch size and learning rate that were tuned for the first.",
        *common_notes({key: tuple(rows.values()) for key, rows in series.items()}),
    )
    title = f"Surface atoms against dose, with the metrics of {SOURCE}, at size {first['size']}"
    return Table(title, caption, tuple(grids), notes, tuple(data), plots)


def _dose_text(rows: dict[float, Row], name: str) -> str:
    """The dose that a score takes, with its 95 % interval: bootstrap over structures."""
    doses, units = list(rows), next(iter(rows.values())).units
    means = [bootstrap.unit_means(row.scores[name], units) for row in rows.values()]
    curves = np.array([list(of_units.values()) for of_units in means]).T
    dose, *ends = bootstrap.interval_of(partial(dose_reaching, doses), curves)

    def text(value: float) -> str:
        return f"<= {doses[0]:g}" if value == 0 else f"> {doses[-1]:g}" if np.isinf(value) else f"{value:.0f}"

    reached = "not reached" if np.isinf(dose) else text(dose)
    has_interval = len(curves) >= bootstrap.FEWEST_UNITS and len({*map(text, (dose, *ends))}) > 1
    return reached + (f" [{text(ends[0])}, {text(ends[1])}]" if has_interval else "")


def _line(rows: dict[float, Row], name: str) -> figures.Line:
    estimates = [bootstrap.interval(row.scores[name], row.units) for row in rows.values()]
    low, high = (None, None) if None in estimates else zip(*[ends for _, *ends in estimates], strict=True)
    return figures.Line(list(rows), [row.mean(name) for row in rows.values()], low, high)
