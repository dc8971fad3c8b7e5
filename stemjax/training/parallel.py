"""Data parallelism: one mesh axis `"batch"`, the state replicated, batches sharded.

Training is one jitted function of global arrays; the compiler inserts the sums over devices. The statistics of
normalisation layers are therefore those of the whole batch, and n devices compute what one does, to rounding.
"""

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec


def batch_mesh(devices: int | None = None) -> Mesh:
    """A mesh over `devices` devices (default: all), with axis `"batch"`.

    The axis is written as Auto: under the newer default, Explicit, indexing with masks would have to state its
    sharding.

    Raises
    ------
    ValueError
        If there are fewer devices than asked for.
    """
    available = jax.devices()
    count = devices or len(available)
    if count > len(available):
        raise ValueError(f"{count} devices asked for, but only {len(available)} are visible")
    return jax.make_mesh((count,), ("batch",), axis_types=(AxisType.Auto,), devices=available[:count])


def largest_divisor(batch: int, available: int) -> int:
    """The largest number of devices, up to `available`, that divides a batch evenly."""
    return max(n for n in range(1, available + 1) if batch % n == 0)


def replicated(mesh: Mesh) -> NamedSharding:
    """Sharding of the state and the data set: a whole copy on each device."""
    return NamedSharding(mesh, PartitionSpec())


def constrain_batch(tree, mesh: Mesh):
    """Inside jit: shard the leading axis of every array in `tree` over the mesh."""
    sharding = NamedSharding(mesh, PartitionSpec("batch"))
    return jax.tree.map(lambda leaf: jax.lax.with_sharding_constraint(leaf, sharding), tree)
