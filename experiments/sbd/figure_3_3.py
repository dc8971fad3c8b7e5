"""SBD, Figures 3.3 and 3.4: do the counts support the columns that a network shows?

    stemjax experiment run sbd_figure_3_3 --size cpu

Every region of the denoised image above the support gets the log-likelihood ratio of "column" against "vacuum". Their
distributions for true columns, spurious and missed ones; the ROC area between the first two; a probability calibrated
on validation structures and judged on test structures; and, which the paper leaves open, control of the false discovery
rate by thinned counts, beside the naive test on the same counts.

Expect at size `cpu` (Ratio, ROC area): disc of the blob, one rate, mean: 0.778 [0.742, 0.813]; disc of a column, rate
by pixel, sum: 0.963 [0.949, 0.974].

Expect at size `cpu` (Mean over images, Nominal rate 0.05): Vacuum, thinned counts: false discoveries: 0.053
[0.030, 0.080]; Vacuum, same counts: false discoveries: 0.980 [0.963, 0.993].

Reference: Mohan et al., arXiv:2010.12970, section 3.4, Figures 3.3 and 3.4.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from experiments.sbd import IMAGES_PER_UNIT, PUBLISHED, SOURCE, WHITE, tuned_network
from experiments.sbd.regions import (
    MISSED,
    PLANTED,
    SPURIOUS,
    TRUE,
    Scene,
    discoveries,
    draw_maps,
    scenes_of,
    sort_regions,
)
from experiments.workspace import Workspace
from stemjax import figures, records
from stemjax.apply.evaluate import denoise_all, image_set
from stemjax.metrics import bootstrap, calibration
from stemjax.metrics.field_of_view import field_of_view
from stemjax.metrics.likelihood import RATIOS
from stemjax.networks.weights import parameter_count
from stemjax.tables import wording
from stemjax.tables.table import Grid, Table
from stemjax.training import recipes

TIMES = {"smoke": "1 min", "cpu": "4 min on 2 cores after the training of Table 5.1", "gpu": "not measured"}
VACUUM_IMAGES = {"smoke": 12, "cpu": 300, "gpu": 1000}
THINNED, NAIVE = "Thinned counts", "Same counts"


def run(size: str, workspace: Workspace) -> None:
    """Score and record the regions of both splits, check the false discovery rate; draw the maps."""
    data = workspace.pt_ceo2(size)
    imaging = recipes.SBD_TRAINING[size]["imaging"]
    network, variables, info, _, tuning = tuned_network("sbd-unet-4x64", size, workspace, data)
    facts = {
        "experiment": workspace.experiment,
        "size": size,
        "denoiser": network.denoiser,
        "data_set": data,
        "imaging": imaging,
        "protocol": "sbd",
        "seed": network.seed,
        "run": network.hash,
        "checkpoint": info["digest"],
        "parameters": parameter_count(network.denoiser.network),
        "field_of_view": field_of_view(network.denoiser.network.geometry()),
        "tuning": tuning,
    }

    def record(method: str, rows: list[dict], **more) -> None:
        print(f"{method}: {len(rows)} rows {more}", flush=True)
        if rows:  # a network may miss no column
            new = records.new_record(method=method, scores=rows, **facts | more)
            records.append(workspace.results / "records", new, rows)

    for split in ("validation", "test"):
        images = image_set(data, WHITE, split, IMAGES_PER_UNIT[size], imaging)
        denoised = denoise_all(network.denoiser, variables, images.noisy)[..., 0]
        scenes = scenes_of(data, images)
        classes = [sort_regions(*pair) for pair in zip(scenes, denoised, strict=True)]
        for method in (TRUE, SPURIOUS, PLANTED, MISSED):
            record(method, [row for image in classes for row in image[method].rows], split=split)
    empty = [Scene.vacuum_only(imaging, seed) for seed in range(VACUUM_IMAGES[size])]
    for kind, group in (("vacuum", empty), ("particles", scenes)):
        for method in (THINNED, NAIVE):
            rows = [discoveries(scene, network.denoiser, variables, is_thinned=method == THINNED) for scene in group]
            record(method, rows, conditions={"images": kind})
    order = np.argsort([len(image[SPURIOUS].rows) for image in classes], kind="stable")
    panels = {
        scenes[index].name.replace("-defocus", ", C10 ") + " Å": (scenes[index], denoised[index], classes[index])
        for index in (order[len(order) // 2], order[-1])  # a usual number of false positives, and the most
    }
    draw_maps(panels, workspace.picture(size))


# ---------------------------------------------------------------------------------------------------- the table
CLASSES = (TRUE, SPURIOUS, MISSED, PLANTED)
FEWEST = 100  # false positives; with fewer the planted columns stand in
DISCS = {"blob": "disc of the blob", "column": "disc of a column"}
RATES = {"region": "one rate", "pixel": "rate by pixel"}
LABELS = {
    f"llr_{disc}_{name}": f"{DISCS[disc]}, {RATES[name.partition('_')[0]]}, {name.partition('_')[2]}"
    for disc in DISCS
    for name in RATIOS
}
AS_IN_PAPER = "llr_blob_region_mean"
NOMINAL = ("0.05", "0.1", "0.2")
KINDS = {"vacuum": "Vacuum", "particles": "Particles"}


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Distributions by class, ROC area and Brier skill of every ratio, reliability, and false discoveries."""
    regions = {split: {name: [] for name in CLASSES} for split in ("validation", "test")}
    for record in records:
        if not record["conditions"]:
            regions[record["split"]][record["method"]] = scores[record["id"]]
    negatives = (SPURIOUS,) if len(regions["test"][SPURIOUS]) >= FEWEST else (SPURIOUS, PLANTED)
    judged = {name: _judge(name, regions, negatives) for name in LABELS}
    best = max(LABELS, key=lambda name: judged[name]["validation_roc_area"])
    test, points = regions["test"], judged[best]["reliability"]
    checks = {
        (record["conditions"]["images"], record["method"]): scores[record["id"]]
        for record in records
        if record["conditions"]
    }
    grids = (_class_grid(test, best), _ratio_grid(judged), _reliability_grid(points), _discovery_grid(checks))
    data = [
        {
            "class": name,
            "regions": len(test[name]),
            **_quantiles(test[name], best),
            **_quantiles(test[name], AS_IN_PAPER),
        }
        for name in CLASSES
    ]
    data += [
        {"ratio": LABELS[name]} | {k: _rounded(v) for k, v in row.items() if k != "reliability"}
        for name, row in judged.items()
    ]
    data += [{"ratio": LABELS[best], **{k: _rounded(v) for k, v in vars(point).items()}} for point in points]
    data += [{"images": k, "method": m, **_check_means(rows)} for (k, m), rows in checks.items()]
    shares = {name: {label: [row[name] for row in test[label]] for label in CLASSES} for name in (AS_IN_PAPER, best)}
    unit = "nat" if best.endswith("sum") else "nat/px"
    axes = {AS_IN_PAPER: f"As the paper: {LABELS[AS_IN_PAPER]} [nat/px]", best: f"{LABELS[best].capitalize()} [{unit}]"}
    plots = {
        "distributions": partial(_histograms, shares, axes),
        "reliability": partial(_reliability, points),
    }
    first, images = records[0], len(next(rows for (kind, _), rows in checks.items() if kind == "particles"))
    imaging = first["imaging"]
    caption = (
        f"Regions above the support in {images} denoised test images of "
        f"{len({row['unit'] for row in test[TRUE]})} structures. Pixels of {imaging['sampling']:g} Å, "
        f"{imaging['counts']:g} electrons per pixel of vacuum "
        f"({imaging['counts'] / imaging['sampling'] ** 2:.0f} e/Å²; paper: 0.45 on 0.0624 Å, 116 e/Å²). "
        f"{wording.data_set(first)}. SBD + UNet, "
        f"{first['parameters']:,} parameters, training seed {first['seed']}."
    )
    title = wording.title("Figures 3.3 and 3.4", SOURCE, records)
    return Table(title, caption, grids, tuple(_notes(best, negatives, len(test[SPURIOUS]))), tuple(data), plots)


def _notes(best: str, negatives: Sequence[str], spurious: int) -> list[str]:
    few = f"Fewer than {bootstrap.FEWEST_UNITS} structures, or one kind of region alone: no interval."
    return [
        "A region is a blob of the Laplacian of Gaussian, with the paper's parameters in Å. It is a true positive if a "
        "Pt column of the atomic model lies within the paper's 10 px (0.62 Å), else a false positive; a column without "
        "a region is a false negative, scored in a disc of the median radius. The vacuum rate is the known one.",
        "Disc of the blob: radius sqrt(2) sigma, as the paper has it. Disc of a column: 1.22 Å, half the distance of "
        "neighbouring columns. One rate: the mean of the denoised disc; rate by pixel: the denoised image itself. All "
        "are Poisson log-likelihoods of the noisy counts. Published true positives: regions less false positives.",
        f"The ratio with the largest ROC area on the validation structures is used further: {LABELS[best]}. Its "
        "logistic calibration is fitted on them too; everything else is judged on the test structures.",
        f"The network makes {spurious} false positives, "
        + ("enough to be judged alone. " if PLANTED not in negatives else f"fewer than {FEWEST}: planted ones added. ")
        + "Planted: 5 discs of true columns of the same denoised image, pasted into vacuum at least 4 Å from every "
        "column. The counts there had no part in the choice, so they speak clearly against them.",
        "The network's own false positives are where the noise happens to look like a column. The same counts then "
        "speak for them: their ratios are small but above zero.",
        "False discoveries: half of the electrons, drawn at random, are denoised and searched; regions are tested on "
        "the other half (one-sided exact Poisson test of the total in the blob's disc, Benjamini and Hochberg within "
        "each image). The network is bias-free and so homogeneous: it gets the half times 2, of the right brightness "
        "but with the noise of half the dose. 'Same counts' searches and tests all the electrons.",
        "A discovery is false if the disc's true mean is not above vacuum. Fresnel fringes are above it without being "
        "columns: the share of discoveries at no column has no bound.",
        "In brackets 95 % intervals: bootstrap over structures, over images for vacuum; Wilson's in the reliability "
        f"table. {few}",
    ]


def _judge(name: str, regions: dict, negatives: Sequence[str]) -> dict:
    """ROC area on both splits, Brier skill and reliability on the test split, of one ratio."""
    values, outcomes, _ = _pairs(regions["validation"], name, negatives)
    logistic, validation_area = calibration.fit_logistic(values, outcomes), calibration.roc_area(values, outcomes)
    values, outcomes, units = _pairs(regions["test"], name, negatives)
    probabilities = logistic(values)
    facts = {"validation_roc_area": validation_area, "slope": logistic.slope, "intercept": logistic.intercept}
    for label, statistic, of in (
        ("roc_area", calibration.roc_area, values),
        ("brier_skill", calibration.brier_skill, probabilities),
    ):
        ends = calibration.resampled_interval(partial(_resampled, statistic, of, outcomes), units)
        facts |= {
            label: statistic(of, outcomes),
            f"{label}_low": (ends or [""])[0],
            f"{label}_high": (ends or [""])[-1],
        }
    planted, is_true, _ = _pairs(regions["test"], name, (PLANTED,))
    facts["roc_area_planted"] = calibration.roc_area(planted, is_true) if not is_true.all() else ""
    return facts | {"reliability": calibration.reliability(probabilities, outcomes)}


def _resampled(statistic, values: np.ndarray, outcomes: np.ndarray, rows: np.ndarray) -> float:
    drawn = outcomes[rows]
    return float("nan") if drawn.all() or not drawn.any() else statistic(values[rows], drawn)


def _pairs(classes: dict, name: str, negatives: Sequence[str]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Values, whether true, and structures of the regions that were found."""
    rows = [(row[name], label == TRUE, row["unit"]) for label in (TRUE, *negatives) for row in classes[label]]
    values, outcomes, units = zip(*rows, strict=True)
    return np.array(values), np.array(outcomes), list(units)


def _class_grid(test: dict, best: str) -> Grid:
    published = PUBLISHED["figure_3_4"]
    counts = {TRUE: published["regions"] - published["false_positives"], SPURIOUS: published["false_positives"]}
    counts |= {MISSED: published["false_negatives"]}
    names = list(dict.fromkeys((AS_IN_PAPER, best)))
    rows = []
    for label in CLASSES:
        cells = [_spread(test[label], name) for name in names]
        rows.append((label, f"{counts[label]:,}" if label in counts else "", f"{len(test[label]):,}", *cells))
    headings = (f"{LABELS[name].capitalize()}: median (5 %, 95 %)" for name in names)
    return Grid(("Class", f"Published, {published['images']:,} images", "Number", *headings), tuple(rows))


def _spread(rows: list[dict], name: str) -> str:
    form = ".1f" if name.endswith("sum") else ".4f"
    low, middle, high = (format(value, form) for value in _quantiles(rows, name).values()) if rows else ("",) * 3
    return f"{middle} ({low}, {high})" if rows else ""


def _quantiles(rows: list[dict], name: str) -> dict:
    if not rows:
        return {}
    values = np.percentile([row[name] for row in rows], [5, 50, 95])
    return {f"{name} {q} %": _rounded(value) for q, value in zip((5, 50, 95), values, strict=True)}


def _ratio_grid(judged: dict[str, dict]) -> Grid:
    columns = ("Ratio", "ROC area, validation", "ROC area", "ROC area, planted", "Brier skill")
    rows = [
        (
            LABELS[name],
            f"{row['validation_roc_area']:.3f}",
            _with_ends(row, "roc_area"),
            f"{row['roc_area_planted']:.3f}" if row["roc_area_planted"] != "" else "",
            _with_ends(row, "brier_skill"),
        )
        for name, row in judged.items()
    ]
    return Grid(columns, tuple(rows))


def _with_ends(row: dict, name: str) -> str:
    ends = "" if row[f"{name}_low"] == "" else f" [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}]"
    return f"{row[name]:.3f}{ends}"


def _reliability_grid(points: list[calibration.Bin]) -> Grid:
    rows = [(f"{p.predicted:.2f}", f"{p.observed:.2f} [{p.low:.2f}, {p.high:.2f}]", f"{p.count:,}") for p in points]
    return Grid(("Probability given", "Share of true ones", "Regions"), tuple(rows))


def _discovery_grid(checks: dict[tuple[str, str], list[dict]]) -> Grid:
    """Mean false discovery proportions beside their nominal values."""
    parts = {"fdp": "false discoveries", "column_fdp": "at no column", "power": "columns discovered"}
    rows = []
    for part, heading in parts.items():
        for (kind, method), images in checks.items():
            if f"{part}_{NOMINAL[0]}" in images[0]:
                cells = [_mean(images, f"{part}_{level}") for level in NOMINAL]
                counted = [f"{np.mean([row[name] for row in images]):.1f}" for name in ("regions", "null_regions")]
                rows.append((f"{KINDS[kind]}, {method.lower()}: {heading}", f"{len(images)}", *counted, *cells))
    columns = ("Mean over images", "Images", "Regions per image", "Of vacuum")
    return Grid((*columns, *(f"Nominal rate {level}" for level in NOMINAL)), tuple(rows))


def _mean(rows: list[dict], name: str) -> str:
    values, units = [row[name] for row in rows], [row["unit"] for row in rows]
    estimate = bootstrap.interval(values, units)
    return "{:.3f} [{:.3f}, {:.3f}]".format(*estimate) if estimate else f"{np.mean(values):.3f}"


def _check_means(rows: list[dict]) -> dict:
    names = [name for name in rows[0] if name not in ("image", "unit")]
    return {name: _rounded(np.mean([row[name] for row in rows])) for name in names}


def _rounded(value):
    return round(float(value), 4) if isinstance(value, float) else value


def _histograms(shares: dict[str, dict[str, list[float]]], labels: dict[str, str]) -> bytes:
    """Share of every class over the ratio, one panel for each ratio; what lies beyond an axis is in its last bin."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(shares), 3.4), dpi=180, layout="constrained")
    colours = dict(zip(CLASSES, (figures.COLOURS[n] for n in (2, 1, 3, 5)), strict=True))
    for axes, (name, classes) in zip(figure.subplots(1, len(shares), squeeze=False)[0], shares.items(), strict=True):
        ends = [np.percentile(values, [1, 98]) for values in classes.values() if len(values)]
        edges = np.linspace(np.min(ends), np.max(ends), 41)
        for label, values in classes.items():
            if len(values):
                heights = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values)
                style = {"linewidth": 1.6, "linestyle": ":" if label == PLANTED else "-"}
                axes.stairs(heights, edges, color=colours[label], label=f"{label} ({len(values):,})", **style)
        axes.axvline(0, color="#777777", linewidth=0.8, linestyle="--", zorder=0)
        axes.set(ylabel="Share of the class")
        axes.locator_params(axis="x", nbins=6)
        axes.set_xlabel(labels[name], fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=7)
    return figures.encode(figure)


def _reliability(points: list[calibration.Bin]) -> bytes:
    drawn = figures.Line(
        [p.predicted for p in points],
        [p.observed for p in points],
        [p.low for p in points],
        [p.high for p in points],
        labels=[f"{p.count:,}" for p in points],
        joined=False,
    )
    series = {"perfect": figures.Line((0, 1), (0, 1)), "test structures, with the number of regions": drawn}
    return figures.lines(series, "Probability of being a column, fitted on validation structures", "Share of columns")
