"""Counted electrons: the rates of a lattice, and the moments of stabilised counts."""

import numpy as np
from scipy.stats import poisson


def lattice(size, rate, period=25):
    y, x = np.mgrid[:size, :size] * 2 * np.pi / period
    return rate * (1 + 0.6 * np.cos(x) * np.cos(y))


def moments(rate):
    """Mean and variance of 2 sqrt(y + 3/8) for Poisson counts y, by the series."""
    count = np.arange(poisson.ppf(1 - 1e-15, rate) + 50)
    weight, value = poisson.pmf(count, rate), 2 * np.sqrt(count + 3 / 8)
    mean = np.sum(weight * value)
    return mean, np.sum(weight * (value - mean) ** 2)
