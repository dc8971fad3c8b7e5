"""A movie whose drift is known."""

import numpy as np

SIZE, FRAMES = 96, 12

PATH = np.cumsum(np.vstack([np.zeros(2), np.random.default_rng(0).uniform(-0.7, 0.9, (FRAMES - 1, 2))]), 0)


def scene(path=PATH, level: float = 1.0, shape=(SIZE, SIZE)) -> np.ndarray:
    """A particle with a lattice on a support with another, drifting."""
    y, x = np.indices(shape)
    frames = []
    for dy, dx in path:
        v, u = y - dy, x - dx
        particle = np.exp(-(((v - 40) / 18) ** 4) - ((u - 45) / 16) ** 4)
        atoms = np.cos(2 * np.pi * v / 9) * np.cos(2 * np.pi * (u + v / 3) / 8)
        support = (v > 62) * (0.5 + 0.5 * np.cos(2 * np.pi * u / 11) * np.cos(2 * np.pi * v / 12))
        frames.append(level * (1 + 0.6 * particle * atoms + 0.4 * support))
    return np.stack(frames)
