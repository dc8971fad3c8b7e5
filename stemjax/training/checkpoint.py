"""Checkpoints of a run: Orbax, with the checksums and the lock that it lacks.

Orbax stores arrays without a checksum, and a flipped bit would be loaded as a wrong weight. A sha256 over path, dtype,
shape and bytes of every leaf stands beside each checkpoint; one that does not match is moved aside, and the step before
it is used.
"""

import fcntl
import hashlib
import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp

from stemjax.data.datasets import canonical_json


class CheckpointError(OSError):
    """No checkpoint could be read, or none fits what was asked for."""


def digest(tree, note=None) -> str:
    """sha256 over path, dtype, shape and bytes of every leaf of a tree of arrays, and over a JSON value."""
    total = hashlib.sha256(canonical_json(note).encode())
    for path, leaf in _flat(tree).items():
        array = np.asarray(leaf)
        total.update(f"{path} {array.dtype} {array.shape}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


def _flat(tree) -> dict:
    """Leaves by their path, as text."""
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold a folder for one writer.

    Raises
    ------
    OSError
        At once, if another process holds it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(f"{folder}: in use by another process; wait for it or choose another folder") from None
        yield


class Checkpointer:
    """The checkpoints of one folder, at most `keep` of them.

    Parameters
    ----------
    folder : path
        Made if missing.
    keep : int
        Older steps beyond this number are deleted.
    read_only : bool
        Leave the folder as it is, since another process may be writing to it.
    """

    def __init__(self, folder: Path, keep: int = 2, read_only: bool = False):
        self.folder, self.read_only = Path(folder).resolve(), read_only
        options = ocp.CheckpointManagerOptions(
            max_to_keep=None if read_only else keep,
            save_interval_steps=0 if read_only else 1,
            enable_async_checkpointing=False,
            cleanup_tmp_directories=not read_only,
            read_only=read_only,
            create=not read_only,
        )
        absl = logging.getLogger("absl")
        level = absl.level
        absl.setLevel(logging.ERROR)  # Orbax warns of every folder opened to read only
        self._manager = ocp.CheckpointManager(self.folder, options=options)
        absl.setLevel(level)

    def save(self, step: int, state: dict, progress: dict) -> None:
        """Save a tree of arrays and a JSON value; the checkpoint of a step that is done again is replaced.

        A run resumed from step n does the later steps again. Checkpoints of those may be there: of a run that was
        killed, or whose newest checkpoint was damaged.

        Raises
        ------
        CheckpointError
            If it could not be written (a full disk, say); the older steps stay as they are.
        """
        leaves = _flat(jax.device_get(state))
        # Leaves by number, their paths in the JSON item: a tree of any shape comes back without a template.
        meta = {"progress": progress, "paths": list(leaves), "digest": digest(leaves, progress)}
        numbered = {f"{i:05d}": np.asarray(leaf) for i, leaf in enumerate(leaves.values())}
        items = ocp.args.Composite(state=ocp.args.StandardSave(numbered), meta=ocp.args.JsonSave(meta))
        try:
            for later in [other for other in self.steps() if other >= step]:
                self._manager.delete(later)
            saved = self._manager.save(step, args=items, force=True)
            self._manager.wait_until_finished()
        except Exception as error:  # Orbax and tensorstore raise many kinds
            raise CheckpointError(
                f"{self.folder}: step {step} could not be saved ({_first_line(error)}); the older steps are intact: "
                "make room on the disk and run again"
            ) from error
        if not saved:
            raise CheckpointError(f"{self.folder}: step {step} was not saved")

    def steps(self) -> list[int]:
        """Steps on disk, oldest first."""
        self._manager.reload()
        return sorted(self._manager.all_steps())

    def restore(self, like=None) -> tuple[int, dict, dict] | None:
        """The newest sound checkpoint: (step, state, progress); None where there is none at all.

        Parameters
        ----------
        like : tree of arrays or jax.ShapeDtypeStruct, optional
            Structure, shapes and dtypes expected. Without it the state is a flat dict of arrays by path.

        Raises
        ------
        CheckpointError
            If there are checkpoints but none is sound, or a sound one is of another network.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                state, meta = self._read(step)
            except Exception as error:  # noqa: BLE001  Orbax and tensorstore raise many kinds for damaged files
                self._set_aside(step, error)
                continue
            if like is not None:
                state = _fit(state, like, self.folder / str(step))
            return step, state, meta["progress"]
        if steps:
            raise CheckpointError(
                f"{self.folder}: none of its checkpoints is readable; delete the folder to start anew"
            )
        return None

    def _read(self, step: int) -> tuple[dict, dict]:
        items = ocp.args.Composite(state=ocp.args.StandardRestore(), meta=ocp.args.JsonRestore())
        restored = self._manager.restore(step, args=items)
        meta = restored["meta"]
        numbered = jax.device_get(restored["state"])
        leaves = {path: np.asarray(numbered[f"{i:05d}"]) for i, path in enumerate(meta["paths"])}
        if digest(leaves, meta["progress"]) != meta["digest"]:
            raise CheckpointError("its checksum differs")
        return leaves, meta

    def _set_aside(self, step: int, error: Exception) -> None:
        place, aside = self.folder / str(step), self.folder / f"damaged-{step}"
        if self.read_only:
            print(f"warning: {place}: damaged ({_first_line(error)})", file=sys.stderr)
            return
        if aside.exists():  # of an earlier time: one is kept for inspection
            shutil.rmtree(aside)
        place.rename(aside)
        self._manager.reload()  # it remembers the step, and would refuse to save it again
        print(f"warning: {place}: damaged ({_first_line(error)}); moved to {aside.name}", file=sys.stderr)

    def close(self) -> None:
        self._manager.close()


def _fit(leaves: dict, like, where: Path):
    """The leaves in the structure of `like`; CheckpointError where a path, shape or dtype differs."""
    expected = _flat(like)
    different = sorted(set(leaves) ^ set(expected)) or [
        path for path, leaf in expected.items() if leaves[path].shape != leaf.shape or leaves[path].dtype != leaf.dtype
    ]
    if different:
        raise CheckpointError(
            f"{where}: a checkpoint of another network or optimiser (first difference: {different[0]})"
        )
    return jax.tree.unflatten(jax.tree.structure(like), [leaves[path] for path in expected])
