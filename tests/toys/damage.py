"""Faults as disks and interrupted copies make them, for the tests that such faults are found."""

from pathlib import Path

import numpy as np

KINDS = ("flip", "truncate", "delete")


def damage(path: Path, kind: str, rng: np.random.Generator) -> None:
    """Flip one bit of a file, cut it short or delete it; an empty file can only be deleted."""
    before = path.read_bytes()
    if kind == "delete" or not before:
        path.unlink()
        assert not path.exists()
        return
    after = bytearray(before)
    if kind == "flip":
        after[rng.integers(len(after))] ^= 1 << int(rng.integers(8))
    else:
        del after[rng.integers(len(after)) :]
    path.write_bytes(after)
    assert path.read_bytes() != before, "the fault did not land"
