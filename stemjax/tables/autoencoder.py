"""Figures 4, 5 and 6 of the autoencoder paper: characters in noise, strokes that are none, and images of a user's."""

import json
from pathlib import Path

import numpy as np

from stemjax import figures
from stemjax.config import from_config
from stemjax.metrics import bootstrap
from stemjax.tables.rows import Row, gather, ranks
from stemjax.tables.table import Grid, Table

PUBLISHED = json.loads((Path(__file__).parents[1] / "published.json").read_text("utf-8"))["autoencoder"]
NETWORK, WITHOUT_HEADS, BLIND = "Autoencoder", "Autoencoder, one head", "Noise2Self"
BARS = ("Noisy", "Noisy, calibrated", "Constant")
ORDER = (*BARS, "Gaussian, tuned", BLIND, WITHOUT_HEADS, NETWORK)
PICTURES = ("characters", "strokes")
CLASS = "autoencoder.MultiResolutionAutoencoder"
ON_IMAGES = (*BARS, "Gaussian, tuned", "Noise2Void", NETWORK)


def autoencoder_figure_4(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """The rows on characters, then those on strokes; the convergence of the networks as a plot."""
    parts = {}
    for pictures in PICTURES:
        chosen = [record for record in found if record["conditions"]["pictures"] == pictures]
        rows = gather(chosen, scores)
        parts[pictures] = {name: rows[name] for name in ORDER}
    data = tuple(
        {"pictures": pictures} | _figures(row, parts[pictures][NETWORK])
        for pictures in PICTURES
        for row in parts[pictures].values()
    )
    grids = tuple(
        _grid(pictures.capitalize(), parts[pictures], [f for f in data if f["pictures"] == pictures])
        for pictures in PICTURES
    )
    record, row = parts["characters"][NETWORK].records[0], parts["characters"][NETWORK]
    caption = (
        f"Data set {record['data_set']['name']}, recipe {record['data_set']['recipe_hash']}: {len(row.units)} "
        "characters that no training saw, and five even diagonal strokes drawn several times. Uniform noise "
        "of -2 to 2, clipped below 0 and rescaled to [0, 1]. Scores by protocol `glyph`: data range 1, unclamped."
    )
    notes = (
        *_verdicts(parts),
        "Clipped noise is not centred: every row but the first is given one gain and one offset, fitted on the "
        "validation characters, where the filter is tuned too. The paper prints no figures for these: it finds the "
        "characters of both methods legible, and that the autoencoder cannot draw the strokes, which Noise2Self can.",
        *_training_notes(parts["characters"]),
        f"Strokes: {len(parts['strokes'][NETWORK].units)} draws of the noise on one picture, hence no interval.",
    )
    title = f"Figures 4 and 5 of Wang et al. 2021, regenerated at size {record['size']}"
    plots = {"convergence": lambda: _convergence(parts["characters"])}
    return Table(title, caption, grids, notes, data, plots)


def autoencoder_figure_6(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Every folder of pairs that was given."""
    folders, parts = dict.fromkeys(record["conditions"]["folder"] for record in found), {}
    for folder in folders:
        rows = gather([record for record in found if record["conditions"]["folder"] == folder], scores)
        parts[folder] = {name: rows[name] for name in ON_IMAGES}
    data = tuple(
        {"folder": folder} | _figures(row, rows[NETWORK]) for folder, rows in parts.items() for row in rows.values()
    )
    grids = tuple(
        _grid(folder, rows, [line for line in data if line["folder"] == folder]) for folder, rows in parts.items()
    )
    said, few = [], False
    for folder, rows in parts.items():
        row = rows[NETWORK]
        few |= len(set(row.units)) < bootstrap.FEWEST_UNITS
        said.append(
            f"{folder}: {row.records[0]['data_set']['recipe_hash']} by its contents, {len(row.units)} images of "
            f"{len(set(row.units))} files that no network saw."
        )
    caption = " ".join(said) + (
        " Protocol `stem`: unclamped, data range the maximum minus the minimum of the clean image. Means over files"
        + ("; fewer than 10 of a folder: neither intervals nor ranks." if few else " with 95 % intervals.")
    )
    published = PUBLISHED["figure_6_tribolium_ssim"]
    notes = (
        *(text for folder, rows in parts.items() for text in _gates(rows, ("Noise2Void", NETWORK), f"{folder}: ")),
        "Clean and noisy images differ in scale: every row but the first is given one gain and one offset, fitted on "
        "the validation pairs, where the filter is tuned too. The networks never see a clean image.",
        f"Published SSIM, of the Tribolium pairs of the CARE paper: {published['input']} noisy, "
        f"{published['noise2void']} Noise2Void, {published['autoencoder']} autoencoder, "
        f"{published['care_supervised']} CARE, which learns from pairs and is not run here. With which scaling and "
        "data range is not said; for other images they say nothing.",
        *_bottleneck([rows[NETWORK] for rows in parts.values()], "default"),
        "The networks saw equally many crops, one seed each: it does not show the spread of trainings.",
    )
    title = f"Figure 6 of Wang et al. 2021, on images that were given, at size {found[0]['size']}"
    return Table(title, caption, grids, notes, data)


def channels_of(record: dict) -> int | None:
    """Channels at the bottleneck of a record's autoencoder; None where its method is another."""
    config = record["denoiser"]
    return from_config(config).network.bottleneck if config.get("class") == CLASS else None


def _bottleneck(rows: list[Row], kind: str) -> list[str]:
    """How many channels the bottleneck has, here and in the paper, if there are autoencoders among the rows."""
    channels = {channels_of(record) for row in rows for record in row.records} - {None}
    here, paper = " or ".join(map(str, sorted(channels))), PUBLISHED["bottleneck_channels"][kind]
    return [f"Bottleneck of the autoencoder: {here} channels (the paper: {paper})."] * bool(channels)


def _figures(row: Row, network: Row) -> dict:
    """The figures of one row by name, an empty text where there is none."""
    psnr, low, high = bootstrap.interval(row.psnr_db, row.units) or (row.mean("psnr_db"), None, None)
    ssim_ends = (bootstrap.interval(row.scores["ssim"], row.units) or (None,) * 3)[1:]
    ahead = bootstrap.difference(network.psnr_db, row.psnr_db, row.units) if row is not network else None
    trained = row.records[0]["seed"] is not None
    values = {
        "psnr_db": psnr,
        "psnr_db_low": low,
        "psnr_db_high": high,
        "ssim": row.mean("ssim"),
        "ssim_low": ssim_ends[0],
        "ssim_high": ssim_ends[1],
        "network_ahead_db": ahead and ahead[0],
        "network_ahead_db_low": ahead and ahead[1],
        "network_ahead_db_high": ahead and ahead[2],
        "gain": row.mean("gain") if "gain" in row.scores else None,
        "offset": row.mean("offset") if "offset" in row.scores else None,
        "seed_lowest_db": min(row.seed_means) if trained else None,
        "seed_highest_db": max(row.seed_means) if trained else None,
    }
    rounded = {name: "" if value is None else round(float(value), 6) for name, value in values.items()}
    facts = {
        "seeds": len(row.records) if trained else "",
        "images": len(row.units),
        "parameters": row.records[0]["parameters"],
    }
    return {"method": row.method} | rounded | facts | {"records": " ".join(r["id"][:16] for r in row.records)}


def _grid(heading: str, rows: dict[str, Row], chosen: list[dict]) -> Grid:
    placed, lines = ranks(rows), []
    for figure in chosen:
        seeds = str(figure["seeds"])
        if figure["seeds"] not in ("", 1):
            seeds += f": {figure['seed_lowest_db']:.2f} to {figure['seed_highest_db']:.2f}"
        place = "" if placed is None else "{} ({})".format(*placed[figure["method"]])
        parameters = f"{figure['parameters']:,}" if figure["parameters"] else ""
        psnr, ahead = _printed(figure, "psnr_db", ".2f"), _printed(figure, "network_ahead_db", "+.2f")
        lines.append((figure["method"], parameters, psnr, _printed(figure, "ssim", ".3f"), ahead, place, seeds))
    columns = ("Parameters", "PSNR [dB]", "SSIM", f"{NETWORK} better by [dB]", "Rank (tied)", "Seeds: PSNR [dB]")
    return Grid((heading, *columns), tuple(lines))


def _printed(figure: dict, name: str, form: str) -> str:
    value, low, high = (figure[f"{name}{end}"] for end in ("", "_low", "_high"))
    if value == "":
        return ""
    return format(value, form) + (f" [{low:{form}}, {high:{form}}]" if low != "" else "")


def _verdicts(parts: dict[str, dict[str, Row]]) -> list[str]:
    """Whether each network passes the gate, and whether the paper's three findings show."""
    characters, strokes = parts["characters"], parts["strokes"]
    found = _gates(characters, (BLIND, WITHOUT_HEADS, NETWORK))
    for other, claim in ((BLIND, "on characters"), (WITHOUT_HEADS, "trained as long")):
        found.append(f"{NETWORK} against {other}, {claim}: {_ahead(characters[NETWORK], characters[other])}.")
    loss = {name: characters[name].mean("psnr_db") - strokes[name].mean("psnr_db") for name in (NETWORK, BLIND)}
    found.append(
        f"From characters to strokes {NETWORK} loses {loss[NETWORK]:.2f} dB, {BLIND} {loss[BLIND]:.2f} dB; on strokes "
        f"{NETWORK} has {strokes[NETWORK].mean('psnr_db'):.2f} dB, {BLIND} {strokes[BLIND].mean('psnr_db'):.2f} dB."
    )
    return found


def _gates(rows: dict[str, Row], networks: tuple[str, ...], where: str = "") -> list[str]:
    """Which networks do not pass the gate: better than the noisy images and than their means."""
    found = []
    for name in networks:
        lowest = min(rows[name].seed_means)
        if under := [bar for bar in BARS if lowest <= rows[bar].mean("psnr_db")]:
            found.append(
                f"{where}{name} fails the gate: its lowest seed ({lowest:.2f} dB) is not above {' and '.join(under)}."
            )
    return found


def _ahead(one: Row, other: Row) -> str:
    found = bootstrap.difference(one.psnr_db, other.psnr_db, one.units)
    if found is None:
        return f"{one.mean('psnr_db') - other.mean('psnr_db'):+.2f} dB (too few characters for an interval)"
    return f"{found[0]:+.2f} [{found[1]:+.2f}, {found[2]:+.2f}] dB"


def _training_notes(rows: dict[str, Row]) -> list[str]:
    crops = {row.records[0]["learning_curve"][-1]["crops"] for row in rows.values() if row.records[0]["learning_curve"]}
    counts = " or ".join(f"{count:,}" for count in sorted(crops))
    return [
        *_bottleneck([rows[WITHOUT_HEADS], rows[NETWORK]], "characters"),
        f"Every network saw {counts} crops of 64 px, the noise of each character recorded once; it is scored by its "
        "checkpoint of the least loss, its own, on validation characters.",
        "Convergence: PSNR of validation characters before any calibration: below the table's figures.",
    ]


def _convergence(rows: dict[str, Row]) -> bytes:
    """Validation PSNR over crops, mean over seeds, of the networks with and without heads."""
    series = {}
    for name in (WITHOUT_HEADS, NETWORK):
        curves = [record["learning_curve"] for record in rows[name].records]
        crops = [point["crops"] for point in curves[0]]
        values = np.array([[point["validation_psnr_db"] for point in curve] for curve in curves])
        ends = (values.min(0), values.max(0)) if len(curves) > 1 else (None, None)
        series[name] = figures.Line(crops, values.mean(0), *ends)
    return figures.lines(series, "Crops seen", "Validation PSNR, not calibrated [dB]")
