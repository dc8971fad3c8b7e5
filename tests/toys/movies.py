"""A noisy movie of one's own, as a file."""

import numpy as np
import tifffile

FRAMES, SIDE = 8, 48


def a_movie(channels=2, frames=FRAMES, seed=0) -> np.ndarray:
    """A lattice that drifts, of unlike brightness in its channels, with noise: float32 [T, H, W, C]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    clean = np.stack([np.cos(x / 2 + t / 5) + np.sin(y / 2) for t in range(frames)])[..., None]
    clean = clean * np.array([1.0, -40.0])[:channels] + np.array([3.0, 500.0])[:channels]
    return (clean + rng.normal(size=clean.shape) * np.array([1.0, 40.0])[:channels]).astype(np.float32)


def save(path, movie):
    """As ImageJ would: T, C, Y, X."""
    several = movie.shape[-1] > 1
    pages = np.moveaxis(movie, -1, 1) if several else movie[..., 0]
    tifffile.imwrite(path, pages, imagej=True, metadata={"axes": "TCYX" if several else "TYX"})
    return path
