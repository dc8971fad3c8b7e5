"""Pure JAX images of atoms that no simulation stands behind: Gaussian atoms, and a strained crystal.

`GaussianAtoms` is the clean domain that Noise2Atom learns to draw like. `Lattice` is a crystal in a smooth strain
field, seen along its columns. Images are float32 [H, W, 1].
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

REACH = 16  # px from an atom to the edge of its 33 x 33 square


# ---------------------------------------------------------------------------------------------------- Gaussian atoms
@dataclass(frozen=True)
class GaussianAtoms:
    """Random images of atoms as Gaussians, the simulated domain of Noise2Atom.

    On a canvas of twice the image's side, of which the image is the centre, atoms lie at random positions p_i:

        image(p) = sum_i n_i exp(-|p - p_i|² / (2 v)),  n_i in 1..atoms,

    each cut off outside a square of 33 x 33 pixels, the whole divided by its maximum. The variance v is that of all
    atoms of one image.

    Parameters
    ----------
    size : int
        Side of the image [px].
    positions : (int, int)
        Fewest and most positions on 256 x 256 pixels of the canvas; a smaller canvas has proportionally fewer.
    atoms : int
        Most atoms at a position.
    variance : (float, float)
        Least and largest v [px²].

    Notes
    -----
    The paper makes 32,768 such images once and scales them by the range of the whole stack; here every image is a
    function of its key alone, drawn when it is needed, and scaled by its own maximum. Positions are real numbers. The
    authors' program draws them on a grid of 8 pixels, and whole numbers for v.

    References
    ----------
    Wang, Henninen, Keller, Erni, "Noise2Atom", Applied Microscopy 50, 23 (2020).
    """

    size: int = 128
    positions: tuple[int, int] = (75, 150)
    atoms: int = 4
    variance: tuple[float, float] = (1.0, 10.0)

    def sample(self, key: jax.Array, count: int) -> jax.Array:
        """Images float32 [count, size, size, 1] in [0, 1]."""
        return jax.vmap(self.image)(jax.random.split(key, count))

    def image(self, key: jax.Array) -> jax.Array:
        """One image float32 [size, size, 1] in [0, 1]."""
        how_many, where, brightness, width = jax.random.split(key, 4)
        canvas = 2 * self.size
        least, most = (max(round(count * (canvas / 256) ** 2), 1) for count in self.positions)
        present = jnp.arange(most) < jax.random.randint(how_many, (), least, most + 1)
        place = jax.random.uniform(where, (2, most), minval=-self.size / 2, maxval=1.5 * self.size)
        number = present * jax.random.randint(brightness, (most,), 1, self.atoms + 1).astype(jnp.float32)
        variance = jax.random.uniform(width, (), minval=self.variance[0], maxval=self.variance[1])
        distance = jnp.arange(self.size) - place[..., None]
        rows, columns = jnp.where(jnp.abs(distance) <= REACH + 0.5, jnp.exp(-(distance**2) / (2 * variance)), 0)
        image = jnp.einsum("n,ny,nx->yx", number, rows, columns, precision=jax.lax.Precision.HIGHEST)
        return (image / jnp.maximum(image.max(), 1e-6))[..., None]


# ---------------------------------------------------------------------------------------------------- a crystal
@dataclass(frozen=True)
class Lattice:
    """A crystal seen along its columns, distorted by a smooth field of displacements: the part of the SmCo movies.

    With the perfect crystal's image f, its rotation R and the drift d, a frame shows

        I(p) = f(R^-1 (p - d - u(p - d))),    u(q) = sum_m a_m sin(2πi k_m q + phase_m),

    with waves of random direction, whose lengths lie between `strain_lengths`. f is the Fourier series of columns as
    Gaussians. By default the cell is that of SmCo5 along [100]: one column of Sm and four of Co in three rows, and the
    brightness of an atom goes with Z^1.7. The crystals of different keys have nearly the same rotation, as have movies
    of one crystal; a network that has seen a few rotations does not know the others.

    Parameters
    ----------
    cell : (float, float)
        Sides (y, x) of the cell [Å].
    columns : tuple of (y, x, brightness)
        Places as fractions of the cell.
    sigma : float
        Of a column's image [Å].
    strain : float
        Root mean square of the gradient of u.
    strain_lengths : (float, float)
        [Å]
    waves : int
        In u.
    background : float
        Added to the columns, of which the largest is 1.
    rotation : (float, float)
        Between which every crystal's rotation from y towards x lies [degrees].
    """

    cell: tuple[float, float] = (4.33, 3.97)
    columns: tuple[tuple[float, float, float], ...] = (
        (0.0, 0.0, 1.0),
        (1 / 3, 0.0, 0.24),
        (2 / 3, 0.0, 0.24),
        (0.0, 0.5, 0.24),
        (0.5, 0.5, 0.49),
    )
    sigma: float = 0.5
    strain: float = 0.03
    strain_lengths: tuple[float, float] = (25.0, 80.0)
    waves: int = 6
    background: float = 0.15
    rotation: tuple[float, float] = (10.0, 14.0)

    def frames(self, key: jax.Array, drift: jax.Array, pixels: int, sampling: float) -> jax.Array:
        """Frames of one crystal, whose rotation and distortion the key decides.

        Parameters
        ----------
        drift : float32 [T, 2]
            Of the crystal (y, x) [Å].
        pixels : int
            Side of a frame.
        sampling : float
            Pixel size [Å].

        Returns
        -------
        float32 [T, pixels, pixels, 1]
        """
        turn, heading, length, phase, size = jax.random.split(key, 5)
        least, most = np.deg2rad(self.rotation)
        angle = jax.random.uniform(turn, minval=least, maxval=most)
        rotation = jnp.array([[jnp.cos(angle), -jnp.sin(angle)], [jnp.sin(angle), jnp.cos(angle)]])
        heading = jax.random.uniform(heading, (self.waves,), maxval=2 * jnp.pi)
        shortest, longest = self.strain_lengths
        number = 1 / jax.random.uniform(length, (self.waves,), minval=shortest, maxval=longest)
        wave = number * jnp.stack([jnp.sin(heading), jnp.cos(heading)])
        # Each wave has the same part in the mean square of the strain, 2 π² |a|² |k|².
        sway = jax.random.normal(size, (2, self.waves))
        sway *= self.strain / (jnp.sqrt(2 * self.waves) * jnp.pi * number * jnp.linalg.norm(sway, axis=0))
        phase = jax.random.uniform(phase, (self.waves,), maxval=2 * jnp.pi)
        place = sampling * jnp.arange(pixels, dtype=jnp.float32)
        grid = jnp.stack(jnp.meshgrid(place, place, indexing="ij"), axis=-1)

        def frame(moved):
            crystal = grid - moved
            crystal -= jnp.sin(2 * jnp.pi * crystal @ wave + phase) @ sway.T
            return self._perfect(crystal @ rotation)[..., None]

        return jax.lax.map(frame, drift)

    def _perfect(self, place: jax.Array) -> jax.Array:
        """Image of the perfect crystal at places (y, x) [..., 2] [Å]: a Fourier series, in y and in x."""
        reach = [int(np.ceil(3 * side / (2 * np.pi * self.sigma))) for side in self.cell]  # exp(-4.5) at the last wave
        h, k = (np.arange(-n, n + 1) for n in reach)
        g2 = (h[:, None] / self.cell[0]) ** 2 + (k / self.cell[1]) ** 2
        y, x, brightness = np.array(self.columns).T
        sums = np.einsum(
            "c,hc,kc->hk", brightness, np.exp(-2j * np.pi * np.outer(h, y)), np.exp(-2j * np.pi * np.outer(k, x))
        )
        height = 2 * np.pi * self.sigma**2 / np.prod(self.cell)
        series = jnp.asarray(height * np.exp(-2 * (np.pi * self.sigma) ** 2 * g2) * sums, jnp.complex64)
        turns = [
            2 * jnp.pi * place[..., axis, None] / side * order
            for axis, (side, order) in enumerate(zip(self.cell, (h, k), strict=True))
        ]
        rows, columns = (jax.lax.complex(jnp.cos(turn), jnp.sin(turn)) for turn in turns)
        inner = jnp.einsum("...h,hk->...k", rows, series, precision=jax.lax.Precision.HIGHEST)
        return self.background + (inner * columns).sum(axis=-1).real
