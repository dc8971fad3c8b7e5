"""Total variation: the image of few edges nearest to the noisy one.

    minimise over u   1/2 ||u - noisy||^2 + weight sum |grad u|

by projected gradient steps on the dual field p, ``u = noisy - div p``.

References
----------
Rudin, Osher, Fatemi, "Nonlinear total variation based noise removal algorithms", Physica D 60, 1992.
Chambolle, "An algorithm for total variation minimization and applications", J. Math. Imaging Vis. 20, 2004.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import lax

STEP = 0.25  # largest stable step of the dual iteration in two dimensions


@dataclass(frozen=True)
class TotalVariation:
    """Total-variation denoising of every frame and channel by itself.

    Parameters
    ----------
    weight : float
        Weight of the variation, in the unit of the image (counts): brightness times a scales the best weight by a. The
        default is scikit-image's, meant for images in [0, 1] with little noise; at 0.45 to 1.8 counts per pixel the
        best one is fifty to a hundred times larger.
    tolerance : float
        Stop when the energy changes by less than this part of the energy of the noisy image.
    iterations : int
        Stop after this many.
    unit_range : bool
        Bring every frame and channel to the range [0, 1] before, and back afterwards: the weight is then in parts of
        the range of the noisy frame.

    Notes
    -----
    Step for step scikit-image's `denoise_tv_chambolle`, including its stopping rule.
    """

    weight: float = 0.1
    tolerance: float = 2e-4
    iterations: int = 200
    unit_range: bool = False

    name: ClassVar[str] = "total-variation"
    tunable: ClassVar[dict[str, tuple]] = {
        "weight": (0.1, 0.2, 0.4, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0, 22.0)
    }

    def denoise(self, variables: dict, noisy: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Denoise `noisy` [..., H, W, C], each frame and channel as long as it needs."""
        planes = jnp.moveaxis(noisy, -1, -3)
        denoised = lax.map(self._denoise_plane, planes.reshape(-1, *planes.shape[-2:]))
        return jnp.moveaxis(denoised.reshape(planes.shape), -3, -1)

    def _denoise_plane(self, noisy: jax.Array) -> jax.Array:
        if not self.unit_range:
            return self._minimise(noisy)
        low, span = noisy.min(), jnp.maximum(jnp.ptp(noisy), jnp.finfo(noisy.dtype).tiny)
        return low + span * self._minimise((noisy - low) / span)

    def _minimise(self, noisy: jax.Array) -> jax.Array:
        def unfinished(state):
            iteration, _, _, energy, previous, initial = state
            # The first pass has no energy to compare with.
            return (iteration < self.iterations) & (
                (iteration < 2) | (jnp.abs(previous - energy) >= self.tolerance * initial)
            )

        def descend(state):
            iteration, (down, right), _, previous, _, initial = state
            # Backward differences, of fields that are zero at the far edges.
            divergence = down - jnp.pad(down[:-1], ((1, 0), (0, 0))) + right - jnp.pad(right[:, :-1], ((0, 0), (1, 0)))
            denoised = noisy - divergence
            slope_down = jnp.pad(jnp.diff(denoised, axis=0), ((0, 1), (0, 0)))
            slope_right = jnp.pad(jnp.diff(denoised, axis=1), ((0, 0), (0, 1)))
            norm = jnp.sqrt(slope_down**2 + slope_right**2)
            energy = (jnp.sum(divergence**2) + self.weight * jnp.sum(norm)) / noisy.size
            shrink = 1 + STEP / self.weight * norm
            dual = ((down - STEP * slope_down) / shrink, (right - STEP * slope_right) / shrink)
            return iteration + 1, dual, denoised, energy, previous, jnp.where(iteration == 0, energy, initial)

        zero = jnp.zeros((), noisy.dtype)
        start = (0, (jnp.zeros_like(noisy), jnp.zeros_like(noisy)), noisy, zero, zero, zero)
        return lax.while_loop(unfinished, descend, start)[2]
