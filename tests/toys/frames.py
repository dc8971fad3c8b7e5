"""Scores of frames with two channels, and one record to make others of."""

from functools import cache

import numpy as np

from stemjax.data.au_graphene import GrapheneImaging
from tests.toys.records import a_record


def frames_of(adf: float, bf: float, movies: int = 12) -> list[dict]:
    """One frame per movie, with these PSNR in the mean and the same spread over movies for every method."""
    spread = np.linspace(-0.5, 0.5, movies)
    others = {"ssim": 0.5, "nrmse": 0.1}
    return [
        {"image": f"m{n}-0", "unit": f"m{n}", "psnr_db": (adf + bf) / 2 + d}
        | others
        | {"adf_psnr_db": adf + d, "bf_psnr_db": bf + d}
        | {f"{channel}_{name}": value for channel in ("adf", "bf") for name, value in others.items()}
        for n, d in enumerate(spread)
    ]


@cache
def template() -> dict:
    """A record made once: to ask git and machine for every row would take longer than the tests."""
    return a_record(frames_of(0.0, 0.0), tuning=None, imaging=GrapheneImaging(), protocol="stem")
