"""Tables of atomic columns found in denoised images of the surface set: Figures 5.3 and 5.4 of SBD, and the dose."""

from collections.abc import Sequence
from functools import partial
from itertools import product

import numpy as np

from stemjax import figures
from stemjax.figures import groups as figures_groups
from stemjax.metrics import bootstrap
from stemjax.metrics.atoms import RATIOS, Finder
from stemjax.tables.rows import Row, gather
from stemjax.tables.sbd import PUBLISHED
from stemjax.tables.table import Grid, Table

PAPER = PUBLISHED["citation"].partition(",")[0]
HEADINGS = {"precision": "Precision", "recall": "Recall", "f1": "F1", "jaccard": "Jaccard"}
LEVEL = 0.95  # of the surface F1 that a dose is asked for
RULES = {"tuned": "tuned threshold", "paper": "paper's threshold"}
CASES = ("All atoms preserved", "One extra atom", "One missing atom")


# ---------------------------------------------------------------------------------------------------- Figure 5.3
def sbd_figure_5_3(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Figure 5.3: PSNR, SSIM and atom metrics where an atom was added or removed; by site below."""
    rows, published = gather(found, scores), {row["image"].capitalize(): row for row in PUBLISHED["figure_5_3"]}
    names = ["psnr_db", "ssim", *(f"surface_{ratio}" for ratio in RATIOS)]
    headings = {"psnr_db": "PSNR [dB]", "ssim": "SSIM"} | {f"surface_{name}": text for name, text in HEADINGS.items()}
    columns = ["Score"] + [f"{case}{kind}" for case in CASES for kind in (", published", "", ", difference")]
    data, lines = [], {name: [headings[name]] for name in names}
    for case in CASES:
        paper = {name: published[case][name.removeprefix("surface_").removesuffix("_db")] for name in names}
        ours = {name: round(rows[case].mean(name), 6) for name in rows[case].scores}
        for name, line in lines.items():
            form = ".2f" if name == "psnr_db" else ".3f"
            line += [format(paper[name], form), format(ours[name], form), f"{ours[name] - paper[name]:+{form}}"]
        differences = {f"difference_{name}": round(ours[name] - paper[name], 6) for name in names}
        printed_ = {f"published_{name}": value for name, value in paper.items()}
        data.append({"image": case} | printed_ | ours | differences | {"records": _ids(rows[case])})
    by_site = {case: _by_site(rows[case]) for case in CASES[1:]}
    sites = list(by_site[CASES[1]])
    grid = Grid(
        ("Site of the atom", *(f"{heading}, {case[4:]}" for case in by_site for heading in HEADINGS.values())),
        tuple((site, *(f"{value:.3f}" for case in by_site.values() for value in case[site])) for site in sites),
    )
    exact = sum(
        all(
            np.allclose(by_site[case][site], [published[case][ratio] for ratio in RATIOS], rtol=0, atol=5e-4)
            for case in by_site
        )
        for site in sites
    )
    change = {name: _difference(rows[CASES[1]], rows[CASES[0]], name) for name in names[:3]}
    first = found[0]
    caption = (
        f"{first['images']} clean images, an atom added at {len(sites)} site(s), with Gaussian noise of standard "
        f"deviation {first['imaging']['noise']['sigma']:.4f} at a vacuum of {first['imaging']['counts']:g}; pixels of "
        f"{first['imaging']['sampling']:g} Å. Atom metrics of the surface columns, as the paper defines them."
    )
    notes = (
        f"An atom more changes PSNR by {change['psnr_db']} dB and SSIM by {change['ssim']}, but surface precision by "
        f"{change['surface_precision']} (mean over sites).",
        f"At {exact} of {len(sites)} sites precision, recall, F1 and Jaccard are those that the paper prints, for the "
        "extra and for the missing atom alike: an atom on top covers a column, which the alpha shape then takes for "
        "bulk, so that one surface column is too many and one is missing (14 of 15 shared). At the other sites nothing "
        "is covered. So the printed figures agree with one change alone.",
        "An image with one missing atom is the particle without the added atom, compared with the one that has it.",
        "Difference: ours minus the paper's figures, which are of one image each, of another simulation.",
    )
    printed = Grid(tuple(columns), tuple(map(tuple, lines.values())))
    return Table(_title("Figure 5.3", first), caption, (printed, grid), notes, tuple(data))


def _by_site(row: Row) -> dict[str, list[float]]:
    """Site of the added atom -> surface precision, recall, F1 and Jaccard."""
    means = [bootstrap.unit_means(row.scores[f"surface_{ratio}"], row.units) for ratio in RATIOS]
    return {unit.split("-")[1].removesuffix("_plus1"): [mean[unit] for mean in means] for unit in means[0]}


def _difference(one: Row, other: Row, name: str) -> str:
    estimate = bootstrap.difference(one.scores[name], other.scores[name], one.units)
    if estimate is None:
        return f"{one.mean(name) - other.mean(name):+.4f}"
    return "{:+.4f} [{:+.4f}, {:+.4f}]".format(*estimate)


# ---------------------------------------------------------------------------------------------------- Figure 5.4
def sbd_figure_5_4(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Figure 5.4: medians over images as in the paper, means with intervals, and box plots."""
    series = _series(found, scores, "noise_draw")
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
                figures_ |= _estimate(row, name, name.replace(f"{part}_", ""))
            data.append({"method": method, "threshold": rule, "part": part, **figures_, "records": _ids(row)})
    headings = [text for heading in HEADINGS.values() for text in (heading, f"{heading} - published")]
    grids = [Grid(("Median over images", *headings), tuple(medians))]
    for kind, heading in (("", "Mean over structures"), ("strict_", "Mean, one to one with the atomic model")):
        cells = [
            (_label(part, method, rule), *(_mean(row, f"{kind}{part}_{ratio}") for ratio in RATIOS))
            for part in paper
            for (method, rule), row in pooled.items()
        ]
        grids.append(Grid((heading, *HEADINGS.values()), tuple(cells)))
    first, any_row = found[0], next(iter(pooled.values()))
    draws = len(next(iter(series.values())))
    caption = (
        f"{first['images']} clean images of {len(set(any_row.units))} structures, {draws} noise draw(s) of each "
        f"(paper: {PUBLISHED['figure_5_4']['clean_images']} and {PUBLISHED['figure_5_4']['noisy_per_clean']}). "
        f"{_imaging(first)}"
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
        *_common_notes({key: (row,) for key, row in pooled.items()}),
    )
    return Table(_title("Figure 5.4", first), caption, tuple(grids), notes, tuple(data), plots)


def _why_so_low(method: str, paper: Row, tuned: Row) -> str:
    """What the paper's threshold does to the columns of one method, in which scores one sees it."""
    spurious = [100 * (1 - row.mean("strict_all_precision")) for row in (paper, tuned)]
    return (
        f"{method} with the paper's threshold: {spurious[0]:.0f} % of the columns found belong to no column of the "
        f"model (tuned: {spurious[1]:.0f} %), while {100 * paper.mean('strict_all_recall'):.1f} % of the model's are "
        "found. They are noise that is left in the vacuum; there they make the rim of the alpha shape, so that the "
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


# ---------------------------------------------------------------------------------------------------- dose
def sbd_dose(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Recall and F1 of surface columns against dose, and the dose that a surface F1 of 0.95 takes."""
    series = _series(found, scores, "dose_e_per_angstrom2")
    doses = sorted({dose for rows in series.values() for dose in rows})
    trained_at = (
        f"{np.sqrt(doses[0] * doses[-1]):.0f} e/Å²"  # the experiment puts its doses evenly about the training's
    )
    series = {(method.replace("one dose", f"one dose, {trained_at}"), rule): v for (method, rule), v in series.items()}
    shown = (("strict_", "tuned", "one to one with the atomic model"), *(("", rule, "as the paper") for rule in RULES))
    words, grids = {"f1": "F1", "recall": "recall"}, []
    for ratio, word in words.items():
        for kind, rule, how in shown:
            name, printed = f"{kind}surface_{ratio}", []
            for (method, its_rule), rows in series.items():
                cells = [_mean(rows[dose], name) if dose in rows else "not run" for dose in doses]
                reached = _dose_text(rows, name) if len(rows) == len(doses) else "not run"
                printed += [(method, *cells, *[reached] * (ratio == "f1"))] * (its_rule == rule)
            columns = (f"Surface {word}, {how}, {RULES[rule]}", *(f"{dose:g} e/Å²" for dose in doses))
            grids.append(Grid((*columns, *[f"Dose for {LEVEL:g} [e/Å²]"] * (ratio == "f1")), tuple(printed)))
    data = []
    for (method, rule), rows in series.items():
        for dose, row in rows.items():
            figures_ = {"psnr_db": round(row.mean("psnr_db"), 6)}
            for name in [f"{kind}surface_{ratio}" for kind in ("strict_", "") for ratio in RATIOS]:
                figures_ |= _estimate(row, name, name)
            data.append(
                {"method": method, "threshold": rule, "dose_e_per_angstrom2": dose, **figures_, "records": _ids(row)}
            )
    first, any_row = found[0], next(iter(next(iter(series.values())).values()))
    caption = (
        f"{first['images']} images of {len(set(any_row.units))} structures at each dose, pixels of "
        f"{first['imaging']['sampling']:g} Å. Data set {first['data_set']['name']}, recipe "
        f"{first['data_set']['recipe_hash']}."
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
        *_common_notes({key: tuple(rows.values()) for key, rows in series.items()}),
    )
    title = f"Surface atoms against dose, with the metrics of {PAPER}, at size {first['size']}"
    return Table(title, caption, tuple(grids), notes, tuple(data), plots)


def dose_reaching(doses: Sequence[float], values: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """The dose at which values [..., n_doses] first reach a level, linear in log dose.

    0 where the lowest dose does already, infinite where none does.

    Examples
    --------
    >>> float(dose_reaching([100, 400], [0.90, 1.00]).round())
    200.0
    """
    doses, values = np.asarray(doses, float), np.asarray(values, float)
    enough = values >= level
    after = enough.argmax(axis=-1)  # the first
    before = np.maximum(after - 1, 0)
    low, high = (np.take_along_axis(values, place[..., None], -1)[..., 0] for place in (before, after))
    part = np.divide(level - low, high - low, out=np.zeros_like(low), where=high > low)
    between = doses[before] * (doses[after] / doses[before]) ** part
    return np.where(enough.any(axis=-1), np.where(after == 0, 0.0, between), np.inf)


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


# ---------------------------------------------------------------------------------------------------- parts
def _series(found: list[dict], scores: dict[str, list[dict]], axis: str) -> dict[tuple[str, str], dict[float, Row]]:
    """(method, threshold rule), networks and tuned thresholds first -> value of the condition `axis`, rising -> row."""
    values = sorted({record["conditions"][axis] for record in found})
    series = {}
    for value, rule in product(values, RULES):
        wanted = {axis: value, "threshold": rule}
        for method, row in gather([r for r in found if r["conditions"] == wanted], scores).items():
            series.setdefault((method, rule), {})[value] = row
    is_filter = {key: not next(iter(rows.values())).records[0]["parameters"] for key, rows in series.items()}
    keys = sorted(series, key=lambda key: (is_filter[key], list(RULES).index(key[1])))
    return {key: series[key] for key in keys}


def _mean(row: Row, name: str) -> str:
    estimate = bootstrap.interval(row.scores[name], row.units)
    return "{:.3f} [{:.3f}, {:.3f}]".format(*estimate) if estimate else f"{row.mean(name):.3f}"


def _estimate(row: Row, name: str, label: str) -> dict:
    """Mean and ends of the interval of a score, under `label`."""
    estimate = bootstrap.interval(row.scores[name], row.units)
    ends = {f"{label}_low": round(estimate[1], 6), f"{label}_high": round(estimate[2], 6)} if estimate else {}
    return {label: round(row.mean(name), 6)} | ends


def _ids(row: Row) -> str:
    return " ".join(record["id"][:16] for record in row.records)


def _title(what: str, record: dict) -> str:
    return f"{what} of {PAPER}, regenerated at size {record['size']}"


def _imaging(record: dict) -> str:
    imaging = record["imaging"]
    dose = imaging["counts"] / imaging["sampling"] ** 2
    return (
        f"Data set {record['data_set']['name']}, recipe {record['data_set']['recipe_hash']}. Pixels of "
        f"{imaging['sampling']:g} Å, {imaging['counts']:g} electrons per pixel of vacuum ({dose:.0f} e/Å²)."
    )


def _common_notes(series: dict[tuple[str, str], Sequence[Row]]) -> list[str]:
    """Thresholds, intervals, networks and what was tuned."""
    finder, row = Finder(), next(iter(series.values()))[0]
    notes = [
        f"Threshold for columns (response of the Laplacian of Gaussian, vacuum 0.45): the paper's is "
        f"{finder.threshold_denoised:g}, for denoised images of its own network; `tuned` is chosen for each method on "
        f"the validation structures, for the best surface F1 one to one with the model. Clean images: "
        f"{finder.threshold_clean:g}."
    ]
    if bootstrap.interval(row.scores["surface_f1"], row.units):
        notes.append("In brackets 95 % intervals: bootstrap over structures.")
    else:
        notes.append(f"Fewer than {bootstrap.FEWEST_UNITS} structures: no intervals.")
    tuned = {method: [row.records[0] for row in rows] for (method, rule), rows in series.items() if rule == "tuned"}
    for method, chosen in tuned.items():
        parts = []
        if chosen[0]["parameters"]:
            seeds = {record["seed"] for row in series[method, "tuned"] for record in row.records}
            parts.append(f"{chosen[0]['parameters']:,} parameters, {len(seeds)} training seed(s)")
        for field, form in (("sigma", "{:.3g} px"), ("threshold", "{:.4g}")):
            values = [form.format(r["tuning"][field]["chosen"]) for r in chosen if field in r["tuning"]]
            parts += [f"{field} {', '.join(values)}"] * bool(values)
        notes.append(f"{method}: {'; '.join(parts)}.")
    return notes
