"""Tables of atomic columns found in denoised images of the surface set: what they share."""

from collections.abc import Sequence
from itertools import product

from stemjax.metrics import bootstrap
from stemjax.metrics.atoms import Finder
from stemjax.tables import wording
from stemjax.tables.rows import Row, gather

HEADINGS = {"precision": "Precision", "recall": "Recall", "f1": "F1", "jaccard": "Jaccard"}
RULES = {"tuned": "tuned threshold", "paper": "paper's threshold"}


def series_of(records: list[dict], scores: dict[str, list[dict]], axis: str) -> dict[tuple[str, str], dict[float, Row]]:
    """(method, threshold rule), networks and tuned thresholds first -> value of the condition `axis`, rising -> row."""
    values = sorted({record["conditions"][axis] for record in records})
    series = {}
    for value, rule in product(values, RULES):
        wanted = {axis: value, "threshold": rule}
        for method, row in gather([r for r in records if r["conditions"] == wanted], scores).items():
            series.setdefault((method, rule), {})[value] = row
    is_filter = {key: not next(iter(rows.values())).records[0]["parameters"] for key, rows in series.items()}
    keys = sorted(series, key=lambda key: (is_filter[key], list(RULES).index(key[1])))
    return {key: series[key] for key in keys}


def mean_of(row: Row, name: str) -> str:
    """A mean over structures with its interval where it has one."""
    return wording.printed_estimate(wording.estimate(row.scores[name], row.units), ".3f")


def estimated(row: Row, name: str, label: str) -> dict:
    """Mean and ends of the interval of a score, under `label`."""
    estimate = bootstrap.interval(row.scores[name], row.units)
    ends = {f"{label}_low": round(estimate[1], 6), f"{label}_high": round(estimate[2], 6)} if estimate else {}
    return {label: round(row.mean(name), 6)} | ends


def imaging_of(record: dict) -> str:
    """Data set, pixels and dose."""
    imaging = record["imaging"]
    dose = imaging["counts"] / imaging["sampling"] ** 2
    return (
        f"{wording.data_set(record)}. Pixels of "
        f"{imaging['sampling']:g} Å, {imaging['counts']:g} electrons per pixel of vacuum ({dose:.0f} e/Å²)."
    )


def common_notes(series: dict[tuple[str, str], Sequence[Row]]) -> list[str]:
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
