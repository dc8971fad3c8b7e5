"""Images to compare by eye: small crops, made by `python -m experiments.leaderboard_pictures`.

Records hold no images. So each picture names the record of its method, and was only written if its score is the one
that the record has for that image. Grey limits, Fourier transform and residual are alike for all rows of a set.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from stemjax.leaderboard.entries import Ranking
from stemjax.records.contract import RELABELLED

FOLDER = "figures/leaderboard"
KINDS = {"image": "Image", "residual": "Residual", "spectrum": "Fourier transform"}


@dataclass(frozen=True)
class Panels:
    """8-bit pictures [P, P] of one method."""

    image: np.ndarray
    residual: np.ndarray
    spectrum: np.ndarray


def panels(image: np.ndarray, clean: np.ndarray, display: Callable = np.asarray) -> Panels:
    """Pictures of a denoised crop [P, P] with the limits of the clean one.

    Black to white is the clean crop's minimum to maximum; a residual of half that range either way is black or white;
    the logarithm of the power spectrum, with a Hann window, spans the upper six decades of the clean crop's. `shown`
    maps intensities to what the image shows, the square root for a dark field.
    """
    low, high = float(clean.min()), float(clean.max())
    window = np.outer(np.hanning(len(clean)), np.hanning(len(clean)))
    power, top = (
        np.log10(np.abs(np.fft.fftshift(np.fft.fft2((i - i.mean()) * window))) ** 2 + 1e-12) for i in (image, clean)
    )
    return Panels(
        _grey(display(image), float(display(clean).min()), float(display(clean).max())),
        _grey(image - clean, (low - high) / 2, (high - low) / 2),
        _grey(power, top.max() - 6, top.max()),
    )


def _grey(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip(np.round(255 * (values - low) / (high - low)), 0, 255).astype(np.uint8)


def read(results: Path, current: set[str], origins: dict[str, str]) -> list[dict]:
    """The sets of pictures in a results folder, checked; those of superseded records are left out, which `says` tells.

    Parameters
    ----------
    current : set of str
        Ids of the current records.
    origins : dict
        Of all records (`records.origins`): one that was derived from another measured the same images as that one.

    Raises
    ------
    ValueError
        If a picture was edited or lost, or there is no record that it could be of.
    """
    folder = results / FOLDER
    if not (folder / "pictures.json").is_file():
        return []
    sets, problems = json.loads((folder / "pictures.json").read_text("utf-8")), []
    for row in (row for one in sets for row in one["rows"]):
        if row["record"] and row["record"] not in origins:
            problems.append(f"picture of {row['method']}: there is no record {row['record'][:16]}")
        for kind in KINDS:
            path = folder / row["image"].replace("-image.png", f"-{kind}.png")  # as the page finds it
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"][kind]:
                problems.append(f"{path}: edited or missing, the picture of record {(row['record'] or 'none')[:16]}")
    if problems:
        advice = "make the pictures again (python -m experiments.leaderboard_pictures)"
        raise ValueError("\n".join([f"{folder}: {advice}", *problems]))
    measured = {origins[name] for name in current}
    return [kept for one in sets if len((kept := _current(one, measured, origins))["rows"]) > 1]


def _current(one: dict, measured: set[str], origins: dict[str, str]) -> dict:
    """A set without the pictures of superseded records."""
    named = [row | {"method": RELABELLED.get(row["method"], row["method"])} for row in one["rows"]]
    one = one | {"rows": named}
    rows = [row for row in named if not row["record"] or origins[row["record"]] in measured]
    gone = [row["method"] for row in one["rows"] if row not in rows]
    sentence = (
        f" Left out until they are made again, since their records are superseded: {', '.join(gone)}." if gone else ""
    )
    return one | {"rows": rows, "says": one["says"] + sentence}


def compare_html(sets: list[dict], rankings: list[Ranking]) -> str:
    """The comparison of a track's images: two at a time by slider and flip; all of them in a strip."""
    track = rankings[0].track
    of_track = [one for one in sets if one["track"] == track.id]
    return "".join(_set(one, index) for index, one in enumerate(of_track))


def _set(one: dict, index: int) -> str:
    """The strip says all that there is to know: the viewer is filled from it, and is not there without JavaScript."""
    name, rows = f"compare-{one['track']}-{index}", one["rows"]
    bars = escape(json.dumps(one["bars"], ensure_ascii=False, separators=(",", ":")))
    best = max(range(len(rows)), key=lambda i: rows[i]["psnr_db"] or -1e9)
    noisy = next((i for i, row in enumerate(rows) if row["method"] in ("Raw", "Noisy")), 0)
    selects = "".join(
        f'<label>{side}<select aria-label="{side} image" data-chosen="{chosen}"></select></label>'
        for side, chosen in (("Left", noisy), ("Right", best))
    )
    buttons = "".join(
        f'<button type="button" data-kind="{kind}" aria-pressed="{str(kind == "image").lower()}">{text}</button>'
        for kind, text in KINDS.items()
    )
    bar = one["bars"]["image"]
    strip = "".join(
        f'<figure><img src="{FOLDER}/{row["image"]}" alt="{escape(row["method"])}" width="{one["px"]}" '
        f'height="{one["px"]}" loading="lazy"><figcaption>{escape(row["method"])}<br>{_psnr(row)}</figcaption></figure>'
        for row in rows
    )
    return f"""<details class="board" data-size="{one["size"]}"{" open" * (index == 0)}>
<summary><h3>Images: {escape(one["title"])}</h3></summary><div class="compare" id="{name}" data-bars="{bars}">
<p class="note">{escape(one["says"])}</p>
<div class="viewer"><div class="stage"><img alt="" class="under" loading="lazy">
<img alt="" class="over" loading="lazy"><span class="edge"></span>
<span class="tag a"></span><span class="tag b"></span>
<span class="scalebar" style="width:{bar["part"]}%">{bar["label"]}</span></div>
<div class="controls">{selects}<div class="kinds" role="group" aria-label="What to show">{buttons}</div>
<label>Edge between them
<input type="range" min="0" max="100" value="50" aria-label="Edge between left and right image"></label>
<div><button type="button" class="flip">Flip</button></div>
<p class="note">Keys: ← → move the edge, F flips, 1 2 3 choose image, residual, Fourier transform. All with the same
limits: the clean crop's range; the residual half of it either way; six decades of power.</p></div></div>
<div class="strip">{strip}</div></div></details>
"""


def _psnr(row: dict) -> str:
    return "" if row["psnr_db"] is None else f"{row['psnr_db']:.2f} dB"
