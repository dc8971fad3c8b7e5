"""Noise2Void for STEM, Figure 2: chequerboards of the mask and of the network's upsampling."""

from stemjax.metrics import bootstrap
from stemjax.tables.n2v import SOURCE
from stemjax.tables.n2v_ablation import CHANNELS, CONTRACT, ONE_SEED, few_movies, signed
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table

CLEAN, WORST = "Clean", "Fixed grid, transposed"
PARTS = {"frame": "denoised frames", "error": "denoised - clean"}


def n2v_figure_2(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Energy at the frequencies of the mask and of the poolings, in the frames and in their error, by network."""
    grids, data = [], []
    for part, label in PARTS.items():
        chosen = [record for record in found if record["conditions"]["measured_on"] == part]
        rows = gather([record for record in chosen if record["method"] != CLEAN], scores)
        clean = [record for record in chosen if record["method"] == CLEAN]
        for channel, name in CHANNELS.items():
            lines = [_of_clean(record, channel) for record in clean]
            lines += [_of_row(row, rows[WORST], channel) for row in rows.values()]
            data += [{"measured_on": part, "channel": channel} | line for line in lines]
            grids.append(_grid(f"{name}: {label}", lines, found[0]["conditions"]["grid_step_px"]))
    row, (step, jitter) = rows[WORST], (found[0]["conditions"][name] for name in ("grid_step_px", "jitter_px"))
    first = found[0]
    noise = first["imaging"]["noise"]["psnr_db"]
    caption = (
        f"Data set {first['data_set']['name']}, recipe {first['data_set']['recipe_hash']}; {first['images']} frames of "
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
    title = f"Figure 2 of {SOURCE}, regenerated at size {first['size']}"
    return Table(title, caption, tuple(grids), notes, tuple(data))


def _standard_step(rows: dict[str, Row]) -> int:
    """Distance of the masked pixels of the standard network [px]."""
    denoiser = next(row.records[0]["denoiser"] for name, row in rows.items() if name.startswith("Random grid"))
    return denoiser.get("pitch", 24) + denoiser.get("jitter", 2)


def _names(record: dict, channel: str) -> dict[str, str]:
    """Score of every pitch: "mask", and those of the poolings [px]."""
    start = f"{channel}_chequerboard"
    found = [name for name in record["scores"] if name.startswith(start)]
    names = {name.removeprefix(start).removesuffix("_db").removeprefix("_") or "mask": name for name in found}
    return {pitch: names[pitch] for pitch in sorted(names, key=lambda pitch: (not pitch.isdigit(), len(pitch), pitch))}


def _of_clean(record: dict, channel: str) -> dict:
    energy = {pitch: record["scores"][name] for pitch, name in _names(record, channel).items()}
    blank = dict.fromkeys(("psnr_db", "difference_db", "low_db", "high_db"), "")
    return {"network": record["method"]} | blank | energy | {"records": record["id"][:16]}


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
        | {"records": " ".join(record["id"][:16] for record in row.records)}
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
