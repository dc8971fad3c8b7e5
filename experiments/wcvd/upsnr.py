"""How far uPSNR, which needs no truth, can be trusted: beside what it would be with the truth, movie by movie."""

from collections.abc import Iterator

import numpy as np

from experiments.movie_methods import NOISY
from experiments.wcvd import HEADINGS, READINGS, WCVD
from stemjax.metrics import bootstrap
from stemjax.tables import wording
from stemjax.tables.rows import Row
from stemjax.tables.table import Grid
from stemjax.tables.wording import estimate

REGION = ("region_umse", "region_mse")  # of the particle


def upsnr_of_movies(row: Row, score: str = "umse", true_score: str = "mse") -> tuple[np.ndarray, np.ndarray]:
    """uPSNR of each movie, and what it would be with the truth [dB]; NaN where it is not defined."""
    mse, peak = (_of_movies(row, name) for name in (true_score, "peak"))
    umse = _of_movies(row, score) if score in row.scores else np.full(len(mse), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimated = np.where(umse > 0, 10 * np.log10(peak**2 / umse), np.nan)
        true = 10 * np.log10(peak**2 / mse)
    return estimated, true


def _of_movies(row: Row, name: str) -> np.ndarray:
    return np.array(list(bootstrap.unit_means(row.scores[name], row.units).values()))


def misranked(rows: dict[str, Row]) -> float:
    """The largest true difference [dB] of two methods that uPSNR puts in the wrong order, 0 if there is none.

    On the mean over those movies in which both have an estimate.
    """
    pairs, wrong = [upsnr_of_movies(row) for row in rows.values()], [0.0]
    for index, (estimated, true) in enumerate(pairs):
        for other_estimated, other_true in pairs[index + 1 :]:
            both = np.isfinite(estimated) & np.isfinite(other_estimated)
            if not both.any():
                continue
            estimate, really = (
                (one - other)[both].mean() for one, other in ((estimated, other_estimated), (true, other_true))
            )
            if estimate * really < 0:
                wrong.append(abs(really))
    return float(max(wrong))


def trust_grid(kind: str, rows: dict[str, Row]) -> Grid:
    """How far uPSNR is from what it estimates, movie by movie, as it should be taken and with frames that were seen."""
    lines = []
    for name, row in rows.items():
        cells = []
        for score in ("umse", "umse_overlap"):
            estimated, true = upsnr_of_movies(row, score)
            off = (estimated - true)[np.isfinite(estimated)]
            cells.append(f"{off.mean():+.2f} ({off.min():+.2f} to {off.max():+.2f})" if len(off) else "none")
        lines.append((name, *cells))
    columns = ("uPSNR less its true value [dB]: mean (movies)", "against the nearest frames, seen or not")
    return Grid((HEADINGS[kind], *columns), tuple(lines))


def highest_upsnr(parts: dict[str, dict[str, Row]]) -> Iterator[str]:
    """Whether WCVD has the highest uPSNR, as in the paper, under either reading of the size of its Gaussian filters.

    And whether it has it in the region of the particle, where that is recorded.
    """
    for reading, filters in READINGS.items():
        begin = f"Figure 4 of the paper (WCVD has the highest uPSNR), with its Gaussian filters of {reading}: "
        if all(WCVD in rows and set(filters) <= set(rows) for rows in parts.values()):
            yield begin + "; ".join(f"{kind}, {_highest(rows, filters)}" for kind, rows in parts.items()) + "."
        else:
            yield begin + "untested, as long as these rows are not recorded for every kind."
    for reading, filters in READINGS.items():
        there = {kind: rows for kind, rows in parts.items() if WCVD in rows and set(filters) <= set(rows)}
        verdicts = [f"{k}, {_highest(r, filters, REGION)}" for k, r in there.items() if REGION[1] in r[WCVD].scores]
        if verdicts:
            yield f"The same in the region of the particle, with filters of {reading}: {'; '.join(verdicts)}."


def _highest(rows: dict[str, Row], filters: tuple[str, ...], scores: tuple[str, str] = ("umse", "mse")) -> str:
    """Whether this kind "shows" or "fails" to show it, or leaves it "open", and which method comes nearest or is ahead.

    Methods of the paper, on the movies in which both have an estimate. Where these are too few for an interval, their
    own values stand for it.
    """
    others = [*filters, "Noise2Void", "UDVD", "WCID", *(name for name in rows if name.startswith("Autoencoder"))]
    own, ahead, ends, none = upsnr_of_movies(rows[WCVD], *scores)[0], {}, [], []
    for name in (name for name in others if name in rows and scores[1] in rows[name].scores):
        difference = upsnr_of_movies(rows[name], *scores)[0] - own
        usable = np.flatnonzero(np.isfinite(difference))
        if len(usable):
            ahead[name] = _, low, high = estimate(difference[usable], usable)
            ends.append((np.min(difference[usable]), np.max(difference[usable])) if low is None else (low, high))
        else:
            none.append(name)
    if not ahead:
        return "untested: no other method has a uPSNR"
    best = max(ahead, key=lambda name: ahead[name][0])
    word = "fails" if any(low > 0 for low, _ in ends) else "shows" if all(high < 0 for _, high in ends) else "open"
    text = wording.printed_estimate(ahead[best], "+.2f")
    return f"{word} ({best} less WCVD: {text} dB" + f"; none of {', '.join(none)}" * bool(none) + ")"


def about_region(parts: dict[str, dict[str, Row]]) -> Iterator[str]:
    """What the region of the particle is, and how much of the frame."""
    part = {
        kind: rows[NOISY].mean("region_part") for kind, rows in parts.items() if "region_part" in rows[NOISY].scores
    }
    if part:
        yield (
            "Of the particle (Figure S11): pixels within 2 Å of a true metal column in any frame of the movie, "
            f"{', '.join(f'{value:.0%} of {kind}' for kind, value in part.items())}. The truth decides, since a "
            "region chosen from the noisy frames would hold what is bright by chance; the peak is the whole movie's."
        )
