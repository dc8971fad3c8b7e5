"""SBD, Figure 5.8: how many noisy images does a blind-spot network need?

    stemjax experiment run sbd_figure_5_8 --size cpu

Laine's blind-spot network learns from 1, 5, 20, 80 and 320 noisy images of simulated structures, each recorded once,
with as many crops of the same size whatever their number; with early stopping by the loss on noisy images of other
structures, and with its last weights. All are tested on the unseen structures of Table 5.1, beside its supervised UNet.
In the paper the PSNR grows with the number of images and reaches that of the supervised network once there are enough,
for which the 40 frames of its movie are far too few.

Expect at size `cpu` (Method, PSNR [dB]): Blind-spot network, early stopping, 1 image: 29.37 [29.30, 29.43]; Blind-spot
network, last weights, 1 image: 28.65 [28.60, 28.70]; Blind-spot network, early stopping, 5 images: 31.23
[31.12, 31.34]; SBD + UNet: 31.52 [31.48, 31.57].

Reference: Mohan et al., arXiv:2010.12970, Figure 5.8.
"""

from collections.abc import Iterator

from experiments.movie_methods import Trained
from experiments.recorder import Recorder
from experiments.sbd import EARLY, IMAGES_PER_UNIT, LAST, PUBLISHED, SBD, SOURCE, WHITE, last_weights, tuned_networks
from experiments.workspace import Workspace
from stemjax import figures
from stemjax.apply.evaluate import denoise_all, image_set, tune
from stemjax.data.micrographs import FewImages, RecordedStills
from stemjax.denoisers.constant import Constant
from stemjax.metrics import bootstrap
from stemjax.models import presets
from stemjax.tables import wording
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table
from stemjax.tables.wording import printed
from stemjax.training import recipes

TIMES = {"smoke": "1 min", "cpu": "20 min on one core, 5 trainings", "gpu": "not measured"}
IMAGES = {"smoke": (1, 5), "cpu": (1, 5, 20, 80, 320), "gpu": (1, 5, 20, 80, 320, 1280)}
CHANGES = {"smoke": {}, "cpu": {"steps": 1000}, "gpu": {"early_stopping": 0}}


def run(size: str, workspace: Workspace) -> None:
    """Train, score and record every network."""
    data, imaging = workspace.pt_ceo2(size), recipes.SBD_TRAINING[size]["imaging"]
    test = image_set(data, WHITE, "test", IMAGES_PER_UNIT[size], imaging)
    rows = Recorder(size, workspace, data, test)
    rows.add("Raw", None, test.noisy, is_raw=True)
    rows.add("Constant", Constant(), denoise_all(Constant(), {}, test.noisy))
    validation = image_set(data, WHITE, "validation", IMAGES_PER_UNIT[size], imaging)
    gaussian, how = tune(presets.PRESETS["gaussian"].denoiser, validation)
    rows.add("Gaussian filter", gaussian, denoise_all(gaussian, {}, test.noisy), tuning=how)
    for method, network, count in networks(size, workspace):
        parts = network.run, network.variables, network.info, network.outcome
        rows.add_trained(method, *parts, conditions={"training_images": count})
    for learnt, variables, info, outcome, tuning in tuned_networks("sbd-unet-4x64", size, workspace, data):
        count = len(learnt.selection.images(data, "train"))
        rows.add_trained(SBD, learnt, variables, info, outcome, tuning, conditions={"training_images": count})


def networks(size: str, workspace: Workspace) -> Iterator[tuple[str, Trained, int]]:
    """Every blind-spot network, its best and its last weights, with the number of images that it learnt from."""
    data = workspace.pt_ceo2(size)
    conditions, preset = recipes.SBD_TRAINING[size]["imaging"], presets.find_preset("laine")
    recorded = RecordedStills(counts=conditions.counts, sampling=conditions.sampling, margin=conditions.margin)
    for count in IMAGES[size]:
        learnt = FewImages(contrast=WHITE.contrast, total=count)
        changes = {"imaging": recorded, "selection": learnt} | CHANGES[size]
        run = preset.recipe(preset.at(size), size, data.recipe_hash, **changes)
        network = Trained(run, *workspace.trained(run, data, f"Blind-spot network, {count} noisy images"))
        yield EARLY, network, count
        yield LAST, last_weights(network), count


# ---------------------------------------------------------------------------------------------------- the table
def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Blind-spot networks by the number of noisy images that they learnt from, beside the supervised UNet."""
    rows = gather([record | {"method": _row_name(record)} for record in records], scores)
    data = tuple(_figures(row, rows[SBD]) for row in rows.values())
    columns = ("Images learnt from", "PSNR [dB]", f"above {SBD} [dB]", "SSIM", "Parameters")
    columns += ("Published PSNR [dB]", "PSNR - published [dB]")
    lines = []
    for figure in data:
        published = figure["published_psnr_db"]
        cells = [str(figure["training_images"]), printed(figure, "psnr_db", ".2f")]
        cells += ["" if figure["row"] == SBD else printed(figure, "above_db", "+.2f"), f"{figure['ssim']:.3f}"]
        cells.append(wording.count(figure["parameters"]))
        cells += ["", ""] if published == "" else [f"{published:.2f}", f"{figure['psnr_db'] - published:+.2f}"]
        lines.append((figure["row"], *cells))
    grids, units = [Grid(("Method", *columns), tuple(lines))], tuple(dict.fromkeys(rows[SBD].units))
    if len(units) < bootstrap.FEWEST_UNITS:
        means = {name: bootstrap.unit_means(row.scores["psnr_db"], row.units) for name, row in rows.items()}
        values = tuple((name, *(f"{of[unit]:.2f}" for unit in units)) for name, of in means.items())
        grids.append(Grid(("PSNR [dB] of each structure", *units), values))
    record = rows[SBD].records[0]
    caption = (
        f"{wording.data_set(record)}; {len(rows[SBD].units)} "
        f"images of {len(units)} structures that no training saw, {record['imaging']['counts']:g} electrons per pixel "
        f"of vacuum, as in Table 5.1. Scores by protocol `{record['protocol']}`. "
        + wording.means_over("structures", wording.too_few(units))
    )
    title = wording.title("Figure 5.8", SOURCE, records)
    return Table(title, caption, tuple(grids), tuple(_notes(rows)), data, {"psnr": lambda: _plot(data)})


def _row_name(record: dict) -> str:
    count = record["conditions"].get("training_images")
    if record["method"] not in (EARLY, LAST):
        return record["method"]
    return f"{record['method']}, {count} image{'s' * (count > 1)}"


def _figures(row: Row, supervised: Row) -> dict:
    record = row.records[0]
    count = record["conditions"].get("training_images", "")
    figure = {"row": row.method, "method": row.method.rpartition(", ")[0] if count else row.method}
    if row is supervised:
        figure["method"] = SBD
    figure["training_images"] = count
    differences = row.scores["psnr_db"] - supervised.scores["psnr_db"]
    for name, values in {"psnr_db": row.scores["psnr_db"], "above_db": differences}.items():
        figure |= wording.estimated(name, values, row.units)
    figure |= {"ssim": round(row.mean("ssim"), 6), "parameters": record["parameters"]}
    networks = {entry["model"]: entry["psnr"] for entry in PUBLISHED["table_3_1_tem"]}
    raw = next(entry["psnr"] for entry in PUBLISHED["table_5_1"] if entry["method"] == "Raw")
    published = {SBD: networks["UNet, 4 scales, 64 base channels"], "Raw": raw}
    figure["published_psnr_db"] = published.get(row.method, "")
    return figure | {"records": wording.record_ids(row.records)}


def _notes(rows: dict[str, Row]) -> Iterator[str]:
    blind = {name: row for name, row in rows.items() if name.startswith((EARLY, LAST))}
    crops = wording.crops_seen(record for row in blind.values() for record in row.records)
    counts = " or ".join(f"{count:,}" for count in crops)
    yield (
        f"Every blind-spot network saw {counts} crops of the images that it learnt from, each recorded once with its "
        "noise; one training each. Early stopping takes the weights of least loss on noisy images of other structures "
        "(the same for all), the other row the last weights of the same training."
    )
    bar = max(("Raw", "Constant"), key=lambda name: rows[name].mean("psnr_db"))
    below = [name for name, row in blind.items() if row.mean("psnr_db") <= rows[bar].mean("psnr_db")]
    if below:
        yield f"Not above {bar}, so they fail the gate: {'; '.join(below)}."
    yield (
        f"{SBD}: supervised, fresh noise in every step, its batch size and learning rate tuned; the networks of Table "
        "5.1, mean over their seeds. Of the blind-spot networks the scale of the last layer at the start (1 or 0.1) "
        "was chosen by hand on validation images, with their truth. The paper's Figure 5.8 is a curve without figures "
        "that reaches the supervised network once there are enough images; figures published for the other rows are of "
        "other images and a lower dose."
    )


def _plot(data: tuple[dict, ...]) -> bytes:
    series = {}
    for method in (EARLY, LAST):
        points = sorted((f for f in data if f["method"] == method), key=lambda f: f["training_images"])
        ends = [[f[f"psnr_db_{end}"] for f in points] for end in ("low", "high")]
        counts, values = [f["training_images"] for f in points], [f["psnr_db"] for f in points]
        series[method] = figures.Line(counts, values, *(ends if "" not in ends[0] else ()))
    supervised = next(f for f in data if f["method"] == SBD)
    level = f"{SBD}, supervised, {supervised['training_images']:,} images", supervised["psnr_db"]
    return figures.lines(series, "Noisy images learnt from", "PSNR [dB]", log_x=True, level=level)
