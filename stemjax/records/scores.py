"""Scores of a record: one row per image, from which its means and intervals are taken.

A row is ``{"image": name, "unit": structure or movie, "psnr_db": ..., "ssim": ..., ...}``.
"""

import csv
import io

import numpy as np

from stemjax.metrics import atoms, bootstrap, likelihood

# Scores that a record may hold, and the range beyond which a value is a mistake. A new metric is one line here.
RANGES = {"psnr_db": (-100.0, 100.0), "ssim": (-1.0, 1.0), "nrmse": (0.0, 1e6)}
RANGES |= {f"{channel}_{name}": RANGES[name] for channel in ("adf", "bf") for name in ("psnr_db", "ssim", "nrmse")}
RANGES |= {
    f"{kind}{part}_{ratio}": (0.0, 1.0) for kind in ("", "strict_") for part in atoms.PARTS for ratio in atoms.RATIOS
}
RANGES |= dict.fromkeys(("dispersion", "gain", "offset", "read_variance"), (-1e6, 1e6))  # of a noise check
RANGES |= {"p_value": (0.0, 1.0), "is_poisson": (0.0, 1.0)}
RANGES |= dict.fromkeys(("minimum_counts", "maximum_counts", "mean_counts"), (0.0, 1e6))  # of clean images
RANGES |= {"contrast": (0.0, 1e3), "ncc_pt": (-1.0, 1.0), "ncc_ce": (-1.0, 1.0)}
RANGES |= dict.fromkeys(("fov50_px", "fov90_px", "fov99_px", "support_px"), (1.0, 1e5))  # of gradients
RANGES |= {"intercept_counts": (-1e3, 1e3)}
RANGES |= {f"llr_{disc}_{ratio}": (-1e6, 1e6) for disc in ("blob", "column") for ratio in likelihood.RATIOS}
RANGES |= {f"{name}_{level:g}": (0.0, 1.0) for name in ("fdp", "column_fdp", "power") for level in (0.05, 0.1, 0.2)}
RANGES |= dict.fromkeys(("regions", "null_regions"), (0.0, 1e6))
RANGES |= {f"adatom_{ratio}": (0.0, 1.0) for ratio in atoms.RATIOS}
RANGES |= {
    f"{channel}_{name}": (-1e6, 1e6)
    for channel in ("adf", "bf")
    for name in ("adatom_snr", "spot_snr_1120", "spot_snr_1010", "transfer_at", "transfer_between", "anisotropy")
}
RANGES |= {
    f"{channel}_chequerboard{pitch}_db": (-100.0, 100.0)  # of the mask, and of the stages of a network
    for channel in ("adf", "bf")
    for pitch in ("", "_2", "_4", "_8", "_16")
}
RANGES |= dict.fromkeys(("adf_dip_percent", "bf_dip_percent"), (-1e4, 1e4))
RANGES |= {"clean_adf_dip_percent": (-1e4, 1e4), "adf_dip_error_percent": (0.0, 1e4), "adf_weaker_height": (-1e4, 1e4)}
RANGES |= {
    f"clean_{channel}_{name}": (-1e6, 1e6)
    for channel in ("adf", "bf")
    for name in ("adatom_snr", "spot_snr_1120", "spot_snr_1010")
}
RANGES |= {f"{channel}_profile_correlation": (-1.0, 1.0) for channel in ("adf", "bf")}
RANGES |= {f"{channel}_profile_amplitude": (0.0, 1e6) for channel in ("adf", "bf")}
RANGES |= {"mse": (0.0, 1e12), "umse": (-1e12, 1e12), "umse_overlap": (-1e12, 1e12), "peak": (0.0, 1e9)}  # of movies
RANGES |= {"region_mse": RANGES["mse"], "region_umse": RANGES["umse"], "region_part": (0.0, 1.0)}  # of their particle
RANGES |= {"clean_contrast": RANGES["contrast"], "registered": (0.0, 1.0)}
RANGES |= dict.fromkeys(("drift_error_px", "drift_bound_px"), (0.0, 1e4))
RANGES |= {"css": (-1.0, 1.0), "low_pass_correlation": (-1.0, 1.0), "fitted_psnr_db": RANGES["psnr_db"]}
RANGES |= dict.fromkeys(("recall_near", "recall_far"), (0.0, 1.0))  # of single atoms, by their distance from clusters
RANGES |= dict.fromkeys(("recall_near_count", "recall_far_count"), (0.0, 1e6))
RANGES |= {"average_psnr_db": RANGES["psnr_db"], "profile_correlation": (-1.0, 1.0)}  # of the movie of the SBD paper


def rounded(scores: list[dict]) -> list[dict]:
    """The rows with plain strings and floats of six decimals, so that what is stored is what the means are taken of.

    Raises
    ------
    ValueError
        If a number has a name that is no score: it would be stored, and never be read as one.
    """
    if unknown := [name for row in scores for name, x in row.items() if name not in RANGES and not isinstance(x, str)]:
        raise ValueError(f"{unknown[0]!r} is no score that a record knows: give it a line in records/scores.py")
    return [
        {name: round(float(value), 6) if name in RANGES else str(value) for name, value in row.items()}
        for row in scores
    ]


def scores_text(rows: list[dict]) -> str:
    """The rows as CSV."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def read_scores(text: str) -> list[dict]:
    """The rows that `scores_text` wrote."""
    rows = csv.DictReader(io.StringIO(text))
    return [{name: float(value) if name in RANGES else value for name, value in row.items()} for row in rows]


def means(rows: list[dict]) -> dict:
    """Mean over units of each unit's mean, of every score."""
    return {name: round(float(np.mean(list(_by_unit(rows, name).values()))), 6) for name in rows[0] if name in RANGES}


def intervals(rows: list[dict]) -> dict | None:
    """95 % interval over units of every score; None with too few units for one."""
    units = [row["unit"] for row in rows]
    estimates = {name: bootstrap.interval([row[name] for row in rows], units) for name in rows[0] if name in RANGES}
    if None in estimates.values():
        return None
    return {name: [round(low, 6), round(high, 6)] for name, (_, low, high) in estimates.items()}


def _by_unit(rows: list[dict], name: str) -> dict[str, float]:
    return bootstrap.unit_means([row[name] for row in rows], [row["unit"] for row in rows])
