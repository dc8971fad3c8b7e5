"""Rows of the tables beside a data set's images: where columns are, and how the sample drifts."""

import math

import numpy as np

from simulation import structures as models
from simulation.structures import Column, Structure
from stemjax.data import datasets

FRAMES = np.dtype([("item", "<i4"), ("frame", "<i4"), ("drift_y_angstrom", "<f4"), ("drift_x_angstrom", "<f4")])


def structure_rows(structure: Structure, tilt: tuple[float, float], cell: float, item: int = 0) -> np.ndarray:
    """Projected columns of a structure at their positions in the image (`stemjax.data.datasets.TRUTH`)."""
    return column_rows(models.columns(structure, cell), models.depth(structure), tilt, cell, item)


def column_rows(
    columns: list[Column], depth: float, tilt: tuple[float, float], cell: float, item: int = 0
) -> np.ndarray:
    """Projected columns of a model of a depth [Å] at their positions in the image (`stemjax.data.datasets.TRUTH`).

    The image shows the exit face. Under a tilt a column whose mean height is z appears displaced by (depth - z)
    tan(tilt), (depth / 2) tan(tilt) if it is centred: down for a tilt about x, to the right for one about y.
    What leaves the cell on one side comes in on the other, as in the image.
    """
    down, right = (math.tan(math.radians(angle)) for angle in tilt)
    rows = np.zeros(len(columns), datasets.TRUTH)
    below = depth - np.array([np.mean(column.heights) for column in columns])
    rows["item"] = item
    rows["x_angstrom"] = (np.array([column.x for column in columns]) + below * right) % cell
    rows["y_angstrom"] = (np.array([column.y for column in columns]) + below * down) % cell
    rows["species"] = [column.species for column in columns]
    rows["count"] = [len(column.heights) for column in columns]
    rows["surface"] = [column.surface for column in columns]
    return rows


def drift_rows(item: int, drift_y: np.ndarray, drift_x: np.ndarray, dtype: np.dtype = FRAMES) -> np.ndarray:
    """A row of `FRAMES` for every frame of a movie, from its drift [T] in Å; a longer `dtype` has fields to fill."""
    rows = np.zeros(len(drift_y), dtype)
    rows["item"], rows["frame"] = item, np.arange(len(rows))
    rows["drift_y_angstrom"], rows["drift_x_angstrom"] = drift_y, drift_x
    return rows
