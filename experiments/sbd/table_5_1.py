"""SBD, Table 5.1: denoisers of simulated Pt/CeO2 micrographs with few electrons per pixel (paper: 0.45; cpu: 1.8).

    stemjax experiment run sbd_table_5_1 --size cpu

Every filter is tuned on the validation structures; every network sees the same crops in the same order and picks its
batch size and learning rate by the same search (`experiments/tuning.py`); all are scored on structures that none of
them saw. In the paper every network beats every filter, the largest network, of 42.87 dB, all others of the table by 12
dB; the table says what the authors' own notebooks print for it.

Expect at size `cpu` (Method, PSNR [dB], 95 % interval): Constant: 22.74 [22.68, 22.81]; PURE-LET: 30.61 [30.53, 30.69];
Gaussian filter: 29.10 [29.05, 29.15]; Total variation: 29.11 [29.05, 29.16]; SBD + DnCNN: 31.03 [30.94, 31.14]; SBD +
Small UNet: 30.78 [29.59, 31.60]; SBD + UNet: 31.52 [31.10, 31.81].

Reference: Mohan et al., arXiv:2010.12970, Table 5.1.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations

from experiments.recorder import Recorder
from experiments.sbd import IMAGES_PER_UNIT, PUBLISHED, SOURCE, WHITE, trained_networks
from experiments.sbd.notes import of_the_notebooks
from experiments.workspace import Workspace
from stemjax.apply.evaluate import denoise_all, image_set, tune
from stemjax.data.micrographs import VACUUM_COUNTS, Imaging
from stemjax.denoisers import missing_package
from stemjax.metrics import bootstrap
from stemjax.models import presets
from stemjax.tables import wording
from stemjax.tables.rows import Row, gather, ranks
from stemjax.tables.table import Grid, Table

TIMES = {"smoke": "2 min", "cpu": "10 min on 2 cores after its zoo, which takes 80 min", "gpu": "not measured"}
FILTERS = {
    "Constant": "constant",
    "Low-pass filter": "low-pass",
    "Adaptive Wiener filter": "wiener",
    "VST + NLM": "nlm",
    "VST + BM3D": "bm3d",
    "PURE-LET": "pure-let",
    "Gaussian filter": "gaussian",
    "Total variation": "tv",
}


def run(size: str, workspace: Workspace) -> None:
    """Train, tune, score and record every row; draw the figures."""
    data = workspace.pt_ceo2(size)
    imaging = presets.sbd_run(None, size, data.recipe_hash).imaging
    validation = image_set(data, WHITE, "validation", IMAGES_PER_UNIT[size], imaging)
    test = image_set(data, WHITE, "test", IMAGES_PER_UNIT[size], imaging)
    rows = Recorder(size, workspace, data, test)

    rows.add("Raw", presets.PRESETS["constant"].denoiser, test.noisy, is_raw=True)
    for method, name in FILTERS.items():
        denoiser = presets.PRESETS[name].denoiser
        if package := missing_package(denoiser):
            print(f"{method:32s} not run: pip install -e '.[{package}]' (mind its licence)", flush=True)
            continue
        denoiser, tuning = tune(denoiser, validation)
        rows.add(method, denoiser, denoise_all(denoiser, {}, test.noisy), tuning=tuning or None)
    for method, learnt, trained, tuning in networks(size, workspace):
        rows.add_trained(method, learnt, *trained, tuning)
    rows.draw_strip(columns=5)
    rows.draw_strip("overview", ("Raw", "Gaussian filter", "SBD + UNet"))
    rows.draw_learning_curves()


def networks(size: str, workspace: Workspace) -> Iterator[tuple]:
    """Every network and seed."""
    return trained_networks(size, workspace, workspace.pt_ceo2(size))


# ---------------------------------------------------------------------------------------------------- the table
NOT_RUN = "not run"


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Table 5.1 of the SBD paper, from the current records of one size."""
    rows, published = gather(records, scores), _published_sbd()
    order = [method for method in published if published[method] or method in rows]
    order += sorted(set(rows) - set(published))
    ranked = ranks(rows)
    data = tuple(_figures(method, rows.get(method), published.get(method, {}), ranked) for method in order)
    columns = ["Method", "Parameters", "Field of view [px]", "Published PSNR [dB]", "Published SSIM"]
    columns += ["PSNR [dB]" + (", 95 % interval" if ranked else ""), "SSIM", "Seeds: PSNR [dB]"]
    columns += ["Rank"] * bool(ranked) + ["PSNR - published [dB]"]
    grids = [Grid(tuple(columns), tuple(_printed(figures, ranked is not None) for figures in data))]
    units = tuple(dict.fromkeys(next(iter(rows.values())).units))
    if ranked is None:
        values = tuple(
            (f["method"], *(f"{f[f'psnr_db {unit}']:.2f}" for unit in units)) for f in data if f["psnr_db"] != ""
        )
        grids.append(Grid(("PSNR [dB] of each structure", *units), values))
    caption = f"{_conditions(records, rows)} {_narrower(rows, published)}".strip()
    title = wording.title("Table 5.1", SOURCE, records)
    return Table(title, caption, tuple(grids), tuple(_notes(rows, ranked is not None)), data)


def _published_sbd() -> dict[str, dict]:
    """Rows in the paper's order with its figures; those of the UNet with 4 scales stand in its Table 3.1."""
    table = {row["method"]: row for row in PUBLISHED["table_5_1"]}
    networks = {row["model"]: row for row in PUBLISHED["table_3_1_tem"]}
    largest = table.pop("SBD + UNet, 6 scales, 128 base channels")
    filters = {name: row for name, row in table.items() if not name.startswith("SBD")}
    return {
        "Raw": filters.pop("Raw"),
        "Constant": {},
        **filters,
        "Gaussian filter": {},
        "Total variation": {},
        "SBD + DnCNN": networks["DnCNN"] | table["SBD + DnCNN"],
        "SBD + Small UNet": networks["Small UNet (DURR)"] | table["SBD + Small UNet"],
        "SBD + UNet": networks["UNet, 4 scales, 64 base channels"],
        "SBD + UNet, 6 scales, 128 base channels": networks["UNet, 6 scales, 128 base channels"] | largest,
    }


def _figures(method: str, row: Row | None, published: dict, ranked: dict | None) -> dict:
    """The figures of one row by name, an empty text where there is none."""
    figures = {
        "method": method,
        "parameters": published.get("parameters", ""),
        "field_of_view_px": published.get("fov", ""),
        "published_psnr_db": published.get("psnr", ""),
        "published_ssim": published.get("ssim", ""),
    }
    names = ("psnr_db", "psnr_db_low", "psnr_db_high", "ssim", "nrmse", "seeds", "seed_lowest_db", "seed_highest_db")
    figures |= dict.fromkeys((*names, "rank", "letters", "difference_db", "records"), "")
    if row is None:
        return figures
    unit_means = bootstrap.unit_means(row.scores["psnr_db"], row.units)
    estimate = bootstrap.interval(row.psnr_db, row.units)
    figures |= {
        "parameters": row.records[0]["parameters"],
        "field_of_view_px": _or_empty(row.records[0]["field_of_view"]),
        **{name: round(row.mean(name), 6) for name in ("psnr_db", "ssim")},
        "nrmse": round(nrmse, 6) if (nrmse := row.mean_or_blank("nrmse")) != "" else "",
        "psnr_db_low": round(estimate[1], 6) if estimate else "",
        "psnr_db_high": round(estimate[2], 6) if estimate else "",
        **wording.seed_figures(row, row.seed_means),
        "rank": ranked[method][0] if ranked else "",
        "letters": ranked[method][1] if ranked else "",
        "difference_db": round(row.mean("psnr_db") - published["psnr"], 6) if "psnr" in published else "",
        "records": wording.record_ids(row.records),
    }
    return figures | {f"psnr_db {unit}": round(value, 6) for unit, value in unit_means.items()}


def _or_empty(value):
    return "" if value is None else value


def _printed(figures: dict, is_ranked: bool) -> tuple[str, ...]:
    def text(name: str, form: str) -> str:
        return "" if figures[name] == "" else format(figures[name], form)

    if figures["psnr_db"] == "":
        ours = [NOT_RUN, "", ""] + [""] * is_ranked + [""]
    else:
        interval = f" [{text('psnr_db_low', '.2f')}, {text('psnr_db_high', '.2f')}]" * is_ranked
        ours = [text("psnr_db", ".2f") + interval, text("ssim", ".3f"), wording.seeds(figures)]
        ours += [f"{figures['rank']} {figures['letters']}"] * is_ranked + [text("difference_db", "+.2f")]
    parameters = figures["parameters"]
    parameters = f"{parameters:,}" if isinstance(parameters, int) else parameters
    published = [text("published_psnr_db", ".2f"), text("published_ssim", ".2f")]
    return (figures["method"], parameters, str(figures["field_of_view_px"]), *published, *ours)


def _conditions(records: list[dict], rows: dict[str, Row]) -> str:
    imaging, row = records[0]["imaging"], next(iter(rows.values()))
    dose = imaging["counts"] / imaging["sampling"] ** 2
    return (
        f"{wording.data_set(records[0])}; {len(row.units)} "
        f"images of {len(set(row.units))} structures of the {records[0]['split']} split, which no method saw. Pixels "
        f"of {imaging['sampling']:g} Å, {imaging['counts']:g} electrons per pixel of vacuum ({dose:.0f} e/Å²), "
        f"{imaging['noise']['class']} noise; scores by protocol `{records[0]['protocol']}`."
    )


def _narrower(rows: dict[str, Row], published: dict[str, dict]) -> str:
    """What is smaller here than in the paper, and how much the networks saw."""
    imaging, paper = next(iter(rows.values())).records[0]["imaging"], Imaging()
    sentences = []
    if imaging["sampling"] != paper.sampling or imaging["counts"] != paper.counts:
        sentences.append(f"The paper's pixels are {paper.sampling:g} Å with {VACUUM_COUNTS} electrons.")
    smaller = [
        f"{method} {row.records[0]['parameters']:,} (paper: {published[method]['parameters']})"
        for method, row in rows.items()
        if _is_smaller(row.records[0]["parameters"], published.get(method, {}).get("parameters"))
    ]
    if smaller:
        sentences.append(f"Networks with fewer parameters than the paper's: {', '.join(smaller)}.")
    crops = wording.crops_seen(record for row in rows.values() for record in row.records)
    if len(crops) == 1:
        sentences.append(f"Every network saw the same {crops[0]:,} crops in the same order.")
    elif crops:
        sentences.append(f"The networks did not see equally many crops ({wording.span(crops)}).")
    return " ".join(sentences)


def _is_smaller(count: int, printed: str | None) -> bool:
    """Whether a count is below one printed as 668K or 1.41M, beyond rounding."""
    if printed is None:
        return False
    return count < 0.99 * float(printed[:-1]) * {"K": 1e3, "M": 1e6}[printed[-1]]


def _notes(rows: dict[str, Row], is_ranked: bool) -> Iterable[str]:
    yield "Means over structures. The papers' figures are of other images: compare the order, not the decibels."
    if is_ranked:
        yield (
            "95 % intervals: bootstrap over structures and, for a method trained from several seeds, over those too; "
            "methods that share a letter cannot be told apart (differences paired over structures, not corrected for "
            "their number). Three seeds do not show the whole spread: a fourth may lie outside."
        )
        single = [row.method for row in rows.values() if len(row.records) == 1 and row.records[0]["seed"] is not None]
        if single:
            yield f"Trained once, so that the spread of the seeds is not in their intervals: {', '.join(single)}."
    else:
        yield f"Fewer than {bootstrap.FEWEST_UNITS} structures: the values of each instead of intervals and ranks."
    if any(row.records[0]["seed"] is not None for row in rows.values()):
        yield "A trained method scores the mean over its seeds on every image; its lowest and highest seed are given."
    overlapping = [
        f"{one.method} and {other.method}"
        for one, other in combinations([row for row in rows.values() if len(row.records) > 1], 2)
        if max(min(one.seed_means), min(other.seed_means)) <= min(max(one.seed_means), max(other.seed_means))
    ]
    if overlapping:
        yield f"Their seeds overlap, so that another seed may change the order: {'; '.join(overlapping)}."
    yield "Published figures of SBD + UNet: Table 3.1, 4 scales and 64 base channels."
    yield of_the_notebooks()
    if any(row.records[0]["size"] == "cpu" for row in rows.values()):
        yield (
            "The networks differ in size, biases and normalisation as well as in field of view: their order alone does "
            "not show an effect of the field of view."
        )
    if "Raw" in rows:
        yield "Raw is scored without clamping to [0, 255], as in the paper; every other row is clamped."
    tuned = [
        f"{method} {field} = {wording.chosen(tried)}"
        for method, row in rows.items()
        for field, tried in (row.records[0]["tuning"] or {}).items()
    ]
    if tuned:
        yield f"Tuned on the validation structures: {', '.join(tuned)}."
