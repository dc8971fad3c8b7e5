"""Drawn crystals: an endless supply of clean images like those of a microscope that sees atoms, in pure JAX.

Each key gives another image: a two-dimensional lattice of one to four columns in a cell, or two lattices side by side
or on top of each other, in any orientation, strained, with vacancies, steps and an outline beyond which there is none;
single atoms; on an amorphous background with gradients; atoms bright or dark. One image in six shows no atoms. Nothing
is simulated and no length has a unit but the pixel: the images teach what images of atoms have in common.

Every pixel finds the columns near it by itself: its place in units of the lattice, rounded, names the cell, and the
number of the cell, hashed, says whether an atom is missing there and how far it is displaced. So the cost depends on
neither spacing nor number of atoms, and a whole image is a few fused loops.
"""

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

SPACING = (4.0, 40.0)  # px between columns
NARROWEST = 0.8  # px, standard deviation of a column
WITH_ATOMS = 0.84  # of the images
COLUMNS = (0.4, 0.7, 0.85)  # parts of the images with at most 1, 2, 3 columns in a cell
SITES = ((0.0, 0.0), (0.5, 0.5), (0.5, 0.0), (0.0, 0.5))
HONEYCOMB = (1 / 3, 1 / 3)
ODD = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)  # numbers of a hash
DRAWS = 128


@partial(jax.jit, static_argnames=("size", "atoms"))
def draw(key: Array, size: int, atoms: bool | None = None) -> Array:
    """The clean image that belongs to a key.

    Parameters
    ----------
    key : typed key
    size : int
        Side [px].
    atoms : bool, optional
        Whether it shows any; by default chance decides.

    Returns
    -------
    float32 [size, size]
        Relative intensity: the mean is 1, no pixel is below 0.

    Examples
    --------
    >>> image = draw(jax.random.key(0), 128)
    """
    numbers, seed, texture = jax.random.split(key, 3)
    chance = iter(jax.random.uniform(numbers, (DRAWS,)))
    grid = jnp.arange(size) - (size - 1) / 2
    place = jnp.stack(jnp.meshgrid(grid, grid, indexing="ij"))
    bounds = _outline(chance, size)
    inside = jax.nn.sigmoid(-_beyond(bounds, *place) / _between(next(chance), 1.0, 6.0))
    has_atoms = next(chance) < WITH_ATOMS
    has_atoms = has_atoms if atoms is None else jnp.bool_(atoms)
    pattern = _columns(chance, jax.random.bits(seed, (), jnp.uint32), place, bounds, has_atoms)
    pattern += _sometimes(chance, 0.6, _between(next(chance), 0.0, 1.5)) * inside
    empty = ~has_atoms & (next(chance) < 0.1)  # vacuum, but for a gradient
    pattern += jnp.where(empty, 0.0, _amorphous(chance, texture, size, has_atoms)) * _between(next(chance), inside, 1.0)
    pattern += _gradient(chance, place / size)
    pattern *= jnp.where(next(chance) < 0.5, 1.0, -1.0)
    contrast = jnp.where(next(chance) < 0.3, 1.0, _log_between(next(chance), 0.12, 1.0))
    mean = pattern.mean()
    depth = jnp.maximum(mean - pattern.min(), 1e-3)
    return jnp.maximum(1 + contrast * (pattern - mean) / depth, 0.0)


# ---------------------------------------------------------------------------------------------------- atoms
def _columns(chance: Iterator, seed: Array, place: Array, bounds: tuple, has_atoms: Array) -> Array:
    """Columns of one or two lattices at every pixel [size, size]; the brightest are about 1. Zero if not `shown`."""
    spacing, count = _log_between(next(chance), *SPACING), jnp.int32(1)
    kind = next(chance)
    for part in COLUMNS:
        count += kind > part
    sparse = next(chance) < 0.12
    vacant = jnp.where(sparse, _between(next(chance), 0.6, 0.97), _sometimes(chance, 0.5, 0.1 * next(chance)))
    disorder = spacing * jnp.where(sparse, 0.3, 0.04 * next(chance))
    uneven = _sometimes(chance, 0.5, 0.5 * next(chance))
    wide = jnp.maximum(spacing * _between(next(chance), 0.1, 0.32), NARROWEST)
    halo = jnp.where(wide < 0.22 * spacing, _sometimes(chance, 0.5, _between(next(chance), -0.3, 0.4)), 0.0)
    tilt, stretch = jnp.pi * next(chance), 1 + _sometimes(chance, 0.4, 0.3 * next(chance))  # of elliptical columns
    across = jnp.stack([jnp.cos(tilt), jnp.sin(tilt)]) / wide / stretch
    along = jnp.stack([-jnp.sin(tilt), jnp.cos(tilt)]) / wide * stretch

    apart = _sometimes(chance, 0.6, 0.12)  # off the special sites
    sites = jnp.array(SITES).at[1].set(jnp.where(next(chance) < 0.5, jnp.array(HONEYCOMB), jnp.array(SITES[1])))
    sites = (sites + apart * jnp.array([[2 * next(chance) - 1 for _ in "yx"] for _ in SITES])).at[0].set(0)
    bright = jnp.array([1.0, *(_log_between(next(chance), 0.15, 1.0) for _ in SITES[1:])])

    cell = _cell(chance, spacing * jnp.sqrt(count))
    second = jnp.where(next(chance) < 0.7, _turned(cell, next(chance)), _turned(_cell(chance, spacing), next(chance)))
    cells = jnp.stack([_turned(cell, next(chance)), second])
    origins = spacing * jnp.array([[next(chance) for _ in "yx"] for _ in cells])
    several = next(chance)
    lattices = jnp.where(several < 0.3, 2, 1)
    side_by_side = several < 0.2
    boundary, step = _line(chance, 0.3 * place.shape[-1]), _line(chance, 0.3 * place.shape[-1])
    height = _sometimes(chance, 0.3, _between(next(chance), -0.5, 0.5))

    y, x = place + _displacement(chance, place)

    def add(number: Array, total: Array) -> Array:
        term, neighbour = number // 9, number % 9  # a column of a cell; the pixel's own cell and the eight around it
        lattice, column = term // count, term % count
        (a, b), (c, d) = cells[lattice]  # pixels (y, x) = cell @ place in the cell
        volume = a * d - b * c
        v, u = y - origins[lattice, 0], x - origins[lattice, 1]
        row = jnp.round((d * v - b * u) / volume - sites[column, 0]) + neighbour // 3 - 1
        line = jnp.round((a * u - c * v) / volume - sites[column, 1]) + neighbour % 3 - 1
        n, m = row + sites[column, 0], line + sites[column, 1]
        down, right = a * n + b * m + origins[lattice, 0], c * n + d * m + origins[lattice, 1]
        bits = _hash(row.astype(jnp.int32), line.astype(jnp.int32), term, seed)
        rank, up, left = (bits >> 20) / 4096, (bits >> 10 & 1023) / 1024 - 0.5, (bits & 1023) / 1024 - 0.5
        dy, dx = y - down - 2 * disorder * up, x - right - 2 * disorder * left
        wave = jnp.exp(-((across[0] * dy + across[1] * dx) ** 2 + (along[0] * dy + along[1] * dx) ** 2) / 4)
        weight = (rank >= vacant) * (1 - uneven * rank)
        side = jnp.where(side_by_side, 1.0 - 2.0 * lattice, 0.0)
        weight *= (_signed(boundary, down, right) * side >= 0) & (_beyond(bounds, down, right) < 0)
        weight *= 1 + height * (_signed(step, down, right) > 0)
        return total + bright[column] * weight * (wave**2 + halo * wave)

    return jax.lax.fori_loop(0, jnp.where(has_atoms, 9 * lattices * count, 0), add, jnp.zeros_like(y))


def _cell(chance: Iterator, length: Array) -> Array:
    """Basis vectors as columns [2, 2] px: hexagonal, square or any between, of the area of a square of that side."""
    kind = next(chance)
    angle = jnp.where(kind < 0.35, jnp.pi / 3, jnp.where(kind < 0.6, jnp.pi / 2, jnp.pi / 3 * (1 + next(chance))))
    ratio = jnp.where(kind < 0.5, 1.0, _between(next(chance), 1.0, 1.6))
    cell = jnp.array([[1.0, ratio * jnp.cos(angle)], [0.0, ratio * jnp.sin(angle)]])
    return length * cell / jnp.sqrt(ratio * jnp.sin(angle))


def _turned(cell: Array, part: Array) -> Array:
    cos, sin = jnp.cos(2 * jnp.pi * part), jnp.sin(2 * jnp.pi * part)
    return jnp.array([[cos, -sin], [sin, cos]]) @ cell


def _displacement(chance: Iterator, place: Array) -> Array:
    """Of the lattice at every pixel [2, size, size] px, its derivative being at most a few percent."""
    y, x = place
    size = y.shape[0]
    strength = _sometimes(chance, 0.6, 0.04)
    bend = jnp.array([[2 * next(chance) - 1 for _ in range(3)] for _ in "yx"]) / size
    bent = jnp.einsum("ck,kij->cij", bend, jnp.stack([y * y, x * y, x * x]))
    wave, angle = 2 * jnp.pi / (size * _between(next(chance), 0.4, 2.0)), 2 * jnp.pi * next(chance)
    phase = wave * (jnp.cos(angle) * y + jnp.sin(angle) * x) + 2 * jnp.pi * next(chance)
    way = 2 * jnp.pi * next(chance)
    return strength * (bent + jnp.stack([jnp.cos(way), jnp.sin(way)])[:, None, None] * jnp.sin(phase) / wave)


def _hash(i: Array, j: Array, k: Array, seed: Array) -> Array:
    """32 bits that look random, for every three whole numbers and a seed."""
    numbers = zip((i, j, k), ODD, strict=True)
    bits = seed + sum(number.astype(jnp.uint32) * jnp.uint32(odd) for number, odd in numbers)
    bits = (bits ^ bits >> 16) * jnp.uint32(0x7FEB352D)
    bits = (bits ^ bits >> 15) * jnp.uint32(0x846CA68B)
    return bits ^ bits >> 16


# ---------------------------------------------------------------------------------------------------- outlines
def _line(chance: Iterator, reach: float) -> tuple[Array, Array, Array]:
    """A straight line: the two parts of its normal, and its distance from the middle, at most `reach` [px]."""
    angle = 2 * jnp.pi * next(chance)
    return jnp.cos(angle), jnp.sin(angle), reach * (2 * next(chance) - 1)


def _signed(line: tuple, y: Array, x: Array) -> Array:
    """Distance of places from a line [px]."""
    return line[0] * y + line[1] * x - line[2]


def _outline(chance: Iterator, size: int) -> tuple:
    """Two edges and a circle within which the specimen lies; half of the images are full of it."""
    some = next(chance)
    edges = [_line(chance, 0.4 * size) for _ in range(2)]
    edge = [(a, b, jnp.where(some < part, c, 1e6)) for (a, b, c), part in zip(edges, (0.4, 0.2), strict=True)]
    round_one = (some > 0.3) & (some < 0.5)
    centre = size * 0.6 * jnp.array([next(chance) - 0.5, next(chance) - 0.5])
    return (*edge, (centre, jnp.where(round_one, size * _between(next(chance), 0.12, 0.6), 1e6)))


def _beyond(bounds: tuple, y: Array, x: Array) -> Array:
    """How far [px] places lie beyond the outline; below zero within."""
    first, last, (centre, radius) = bounds
    away = jnp.sqrt((y - centre[0]) ** 2 + (x - centre[1]) ** 2) - radius
    return jnp.maximum(jnp.maximum(_signed(first, y, x), _signed(last, y, x)), away)


# ---------------------------------------------------------------------------------------------------- background
def _amorphous(chance: Iterator, key: Array, size: int, atoms: Array) -> Array:
    """Filtered white noise [size, size], the grains of a film; without atoms it is stronger and may be coarser."""
    fy, fx = jnp.fft.fftfreq(size)[:, None], jnp.fft.rfftfreq(size)
    square = fy**2 + fx**2
    grain = _log_between(next(chance), 1.0, jnp.where(atoms, 12.0, 40.0))  # px
    rings = _sometimes(chance, 0.3, _log_between(next(chance), 10.0, 300.0))  # of a defocused microscope [px²]
    phase = jnp.pi / 2 * next(chance)
    passed = jnp.exp(-2 * (jnp.pi * grain / 2) ** 2 * square) * jnp.sin(jnp.pi * rings * square + phase)
    passed = jnp.where((rings > 0) | (square > 0), passed, 0.0).at[0, 0].set(0.0)
    real, imaginary = jax.random.normal(key, (2, size, size // 2 + 1))
    image = jnp.fft.irfft2(passed * jax.lax.complex(real, imaginary), (size, size))
    image /= jnp.maximum(image.std(), 1e-9)
    strength = jnp.where(atoms, _sometimes(chance, 0.7, _log_between(next(chance), 0.01, 0.4)), 1.0)
    return strength * image


def _gradient(chance: Iterator, place: Array) -> Array:
    """A smooth rise across the image: a polynomial of second order of places in sizes of the image."""
    y, x = place
    rise = jnp.array([2 * next(chance) - 1 for _ in range(5)])
    strength = _sometimes(chance, 0.5, 0.6 * next(chance))
    return strength * jnp.einsum("k,kij->ij", rise, jnp.stack([y, x, y * y, x * y, x * x]))


# ---------------------------------------------------------------------------------------------------- chance
def _between(part: Array, low, high) -> Array:
    return low + (high - low) * part


def _log_between(part: Array, low: float, high) -> Array:
    return low * (high / low) ** part


def _sometimes(chance: Iterator, part: float, value) -> Array:
    """The value in so many of the cases, else 0."""
    return jnp.where(next(chance) < part, value, 0.0)
