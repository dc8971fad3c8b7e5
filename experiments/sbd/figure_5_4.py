"""SBD, Figure 5.4: how many atomic columns survive denoising, at the surface of 44 defect structures and in the bulk.

    stemjax experiment run sbd_figure_5_4 --size cpu

308 clean images, 44 structures at 7 defoci, with 25 draws of the noise each at size `gpu` and one at `cpu`. Precision,
recall, F1 and Jaccard of the columns found in the denoised image against those of the clean one, and of the atomic
model one to one; for the UNet and for a Gaussian filter tuned on the validation structures; with the paper's threshold
for columns and with one chosen for each method on the validation structures. At size
`cpu` expect a surface F1 of 0.86 for the UNet with a tuned threshold, 0.84 for the Gaussian filter, and next to nothing
with the paper's threshold; the paper has medians of 1, 1, 0.95 and 0.95 at the surface, for a network of full size.

Why the paper's threshold, a response of 0.0145, finds no surface at size `cpu`: measured at 80 Å of defocus, the
response in the vacuum reaches 0.005 in clean images but 0.046 (standard deviation 0.011) in what the UNet leaves of the
noise. So 36 columns of noise stand beside the 44 of the particle, all of which are found; the noise, in the vacuum,
becomes the rim of the alpha shape, and 95 % of the particle's surface columns count as bulk. With the error of the
UNet's images scaled down to the 43 dB that the paper's network has, 4 such columns are left and the surface F1 is 0.76.

Reference: Mohan et al., arXiv:2010.12970, Figure 5.4.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from experiments.recorder import Recorder
from experiments.sbd import IMAGES_PER_UNIT, PUBLISHED, SOURCE, WHITE, tuned_network
from experiments.sbd.surface_atoms import (
    ALIKE,
    DEFOCI,
    Panel,
    Reference,
    add_both,
    draw_columns,
    surface_images,
    tune_threshold,
)
from experiments.sbd.surface_tables import HEADINGS, RULES, common_notes, estimated, imaging_of, mean_of, series_of
from experiments.workspace import Workspace
from stemjax.apply.evaluate import ImageSet, denoise_all, image_set, tune
from stemjax.data.images import TEST_NOISE
from stemjax.figures import groups as figures_groups
from stemjax.metrics import atoms
from stemjax.metrics.atoms import RATIOS
from stemjax.models import presets
from stemjax.tables import wording
from stemjax.tables.rows import Row
from stemjax.tables.table import Grid, Table
from stemjax.training import recipes

TIMES = {"smoke": "1 min", "cpu": "4 min on 2 cores after the training of Table 5.1", "gpu": "not measured"}
DRAWS = {"smoke": 1, "cpu": 1, "gpu": 25}
SHOWN = "top3_plus1"


def run(size: str, workspace: Workspace) -> None:
    """Denoise and score every draw of the noise; draw the picture."""
    data, surface = workspace.pt_ceo2(size), workspace.pt_ceo2_surface(size)
    imaging = recipes.SBD_TRAINING[size]["imaging"]
    network, variables, info, outcome, tuning = tuned_network("sbd-unet-4x64", size, workspace, data)
    validation = image_set(data, WHITE, "validation", IMAGES_PER_UNIT[size], imaging)
    gaussian, chosen = tune(presets.PRESETS["gaussian"].denoiser, validation)
    methods = {"Gaussian filter": (gaussian, {}), "SBD + UNet": (network.denoiser, variables)}
    alike = image_set(data, ALIKE, "validation", IMAGES_PER_UNIT[size], imaging)
    thresholds = {method: tune_threshold(data, alike, *denoiser) for method, denoiser in methods.items()}
    reference = None
    for draw in range(DRAWS[size]):
        defoci = DEFOCI[:2] if size == "smoke" else DEFOCI
        test = surface_images(surface, imaging, defoci, noise_seed=TEST_NOISE + draw)
        reference = reference or Reference.of(surface, test)
        rows = Recorder(size, workspace, surface, test)
        adds = {
            "Gaussian filter": (partial(rows.add, "Gaussian filter", gaussian), chosen),
            "SBD + UNet": (partial(rows.add_trained, "SBD + UNet", network, variables, info, outcome), tuning),
        }
        panels = []
        for method, (add, how) in adds.items():
            denoised = denoise_all(*methods[method], test.noisy)
            columns = add_both(add, denoised, reference, thresholds[method], how, noise_draw=draw)
            panels.append(_panel(method, test, reference, denoised, columns))
        if draw == 0:
            _draw(panels, test, reference, workspace.picture(size))


def _shown(test: ImageSet) -> int:
    """A particle with an added atom."""
    return next(index for index, name in enumerate(test.name) if SHOWN in name)


def _panel(method: str, test: ImageSet, reference: Reference, denoised: np.ndarray, columns_of: list) -> Panel:
    """The columns that a method finds with its own threshold."""
    number = _shown(test)
    clean, columns = reference.clean[number], columns_of[number]
    note = f"surface F1 {atoms.compare(clean, columns)['surface_f1']:.3f}"
    return Panel(method, note, denoised[number, ..., 0], reference.views[number], columns, clean)


def _draw(panels: list[Panel], test: ImageSet, reference: Reference, path: Path) -> None:
    """Clean and noisy image before what the methods find."""
    number = _shown(test)
    view, clean, noisy = reference.views[number], test.clean[number, ..., 0], test.noisy[number, ..., 0]
    first = [
        Panel("Clean", f"defocus {test.images.defocus[number] / 10:g} nm", clean, view, reference.clean[number]),
        Panel("Noisy", f"{test.imaging.dose():.0f} e/Å², own grey scale", noisy, view),
    ]
    draw_columns([*first, *panels], path, tuple(np.percentile(clean, [0.1, 99.9])))


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Figure 5.4: medians over images as in the paper, means with intervals, and box plots."""
    series = series_of(records, scores, "noise_draw")
    pooled = {key: _pooled(list(rows.values())) for key, rows in series.items()}
    paper = {part: PUBLISHED["figure_5_4"][f"{part}_median"] for part in ("surface", "bulk")}
    medians, data = [], []
    for part, published in paper.items():
        medians.append((f"{part.capitalize()}, published", *(t for r in RATIOS for t in (f"{published[r]:.2f}", ""))))
        for (method, rule), row in pooled.items():
            values = {ratio: float(np.median(row.scores[f"{part}_{ratio}"])) for ratio in RATIOS}
            differences = {ratio: values[ratio] - published[ratio] for ratio in RATIOS}
            pairs = [text for r in RATIOS for text in (f"{values[r]:.3f}", f"{differences[r]:+.3f}")]
            medians.append((_label(part, method, rule), *pairs))
            figures_ = {f"published_median_{ratio}": published[ratio] for ratio in RATIOS}
            figures_ |= {f"median_{ratio}": round(value, 6) for ratio, value in values.items()}
            figures_ |= {f"difference_median_{ratio}": round(value, 6) for ratio, value in differences.items()}
            for name in [f"{kind}{part}_{ratio}" for kind in ("", "strict_") for ratio in RATIOS]:
                figures_ |= estimated(row, name, name.replace(f"{part}_", ""))
            data.append(
                {
                    "method": method,
                    "threshold": rule,
                    "part": part,
                    **figures_,
                    "records": wording.record_ids(row.records),
                }
            )
    headings = [text for heading in HEADINGS.values() for text in (heading, f"{heading} - published")]
    grids = [Grid(("Median over images", *headings), tuple(medians))]
    for kind, heading in (("", "Mean over structures"), ("strict_", "Mean, one to one with the atomic model")):
        cells = [
            (_label(part, method, rule), *(mean_of(row, f"{kind}{part}_{ratio}") for ratio in RATIOS))
            for part in paper
            for (method, rule), row in pooled.items()
        ]
        grids.append(Grid((heading, *HEADINGS.values()), tuple(cells)))
    first, any_row = records[0], next(iter(pooled.values()))
    draws = len(next(iter(series.values())))
    caption = (
        f"{first['images']} clean images of {len(set(any_row.units))} structures, {draws} noise draw(s) of each "
        f"(paper: {PUBLISHED['figure_5_4']['clean_images']} and {PUBLISHED['figure_5_4']['noisy_per_clean']}). "
        f"{imaging_of(first)}"
    )
    plots = {
        part: partial(
            figures_groups.boxes,
            {
                heading: {_label("", *key): tuple(row.scores[f"{part}_{ratio}"]) for key, row in pooled.items()}
                for ratio, heading in HEADINGS.items()
            },
            f"{part.capitalize()} columns",
        )
        for part in paper
    }
    notes = (
        "The first two tables compare columns found in the denoised image with those found in the clean one, not one "
        "to one, as the paper does; the last compares them with the Pt columns of the atomic model, each at most once, "
        "and takes a column for surface or bulk as the model says.",
        *(
            _why_so_low(method, row, pooled[method, "tuned"])
            for (method, rule), row in pooled.items()
            if rule == "paper"
        ),
        *common_notes({key: (row,) for key, row in pooled.items()}),
    )
    return Table(wording.title("Figure 5.4", SOURCE, records), caption, tuple(grids), notes, tuple(data), plots)


def _why_so_low(method: str, paper: Row, tuned: Row) -> str:
    """What the paper's threshold does to the columns of one method, in which scores one sees it."""
    spurious = [100 * (1 - row.mean("strict_all_precision")) for row in (paper, tuned)]
    return (
        f"{method} with the paper's threshold: {spurious[0]:.0f} % of the columns found belong to no column of the "
        f"model (tuned: {spurious[1]:.0f} %), while {100 * paper.mean('strict_all_recall'):.1f} % of the model's are "
        "found. They are noise that is left in the vacuum. The alpha shape follows them, so that the "
        f"particle's own surface counts as bulk. All columns together have an F1 of {paper.mean('all_f1'):.3f}, those "
        f"of the surface one of {paper.mean('surface_f1'):.3f}."
    )


def _label(part: str, method: str, rule: str) -> str:
    return ", ".join(filter(None, (part.capitalize(), method, RULES[rule])))


def _pooled(rows: Sequence[Row]) -> Row:
    """Rows of one method under several draws of the noise as one."""
    scores = {name: np.concatenate([row.scores[name] for row in rows]) for name in rows[0].scores}
    records = tuple(record for row in rows for record in row.records)
    psnr_db = np.concatenate([row.psnr_db for row in rows], axis=1)
    return Row(rows[0].method, records, scores, sum((row.units for row in rows), ()), rows[0].seed_means, psnr_db)
