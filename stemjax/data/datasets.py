"""A data set on disk: a manifest, shards of exit waves, and the true positions of the atoms.

    DIR/manifest.json   units, axes, recipe and its hash, items with their conditions, splits, sha256 of every file
    DIR/*.npy           shards of exit waves (or movies), one row per item
    DIR/truth.npy       projected atomic columns: item, frame, x, y, species, number of atoms, surface or bulk

The `recipe_hash` (parameters, structures, versions) is the identity of a data set everywhere; the sha256 of the files
guards this copy only, since two machines differ in the last bits of a Fourier transform.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stemjax.data.older_recipes import OLDER
from stemjax.files import write_whole

if TYPE_CHECKING:
    from stemjax.physics.optics import Band

FORMAT = "stemjax data set"
FORMAT_VERSION = 1
TRUTH = np.dtype(
    [
        ("item", "<i4"),
        ("frame", "<i4"),
        ("x_angstrom", "<f4"),
        ("y_angstrom", "<f4"),
        ("species", "S2"),
        ("count", "<i2"),
        ("surface", "?"),
    ]
)
STRONG = 64  # coefficients of a wave kept in full precision
_HALF_RANGE = 32768.0  # largest stored magnitude: half of what float16 can hold


# ---------------------------------------------------------------------------------------------------- exit waves
def wave_dtype(count: int) -> np.dtype:
    """Stored form of one exit wave of `count` coefficients.

    All coefficients as float16 pairs (real, imaginary) times one float32 scale, and the strongest ones, the zero
    frequency and the Bragg beams, as complex64 beside them: float16 alone would err by 4e-4 of vacuum in the image,
    almost all of it from those few; this errs by 1e-4.
    """
    strong = min(STRONG, count)
    return np.dtype(
        [("index", "<i4", (strong,)), ("strong", "<c8", (strong,)), ("scale", "<f4"), ("weak", "<f2", (count, 2))]
    )


def encode_waves(coefficients: np.ndarray) -> np.ndarray:
    """Pack exit waves complex64 [n, K] into records [n] of `wave_dtype(K)`."""
    records = np.zeros(len(coefficients), wave_dtype(coefficients.shape[1]))
    strong = records["index"].shape[1]
    for record, wave in zip(records, coefficients, strict=True):
        index = np.sort(np.argsort(-np.abs(wave), kind="stable")[:strong])
        record["index"], record["strong"] = index, wave[index]
        weak = wave.copy()
        weak[index] = 0
        pairs = weak.view(np.float32).reshape(-1, 2)
        record["scale"] = max(float(np.abs(pairs).max()), 1e-30) / _HALF_RANGE
        record["weak"] = pairs / record["scale"]
    return records


def decode_waves(records: np.ndarray) -> np.ndarray:
    """Unpack records [n] into exit waves complex64 [n, K]."""
    pairs = records["weak"].astype(np.float32) * records["scale"][:, None, None]
    waves = np.ascontiguousarray(pairs).view(np.complex64)[..., 0]
    np.put_along_axis(waves, records["index"].astype(np.int64), records["strong"], axis=1)
    return waves


# ---------------------------------------------------------------------------------------------------- writing
def canonical_json(value) -> str:
    """JSON with sorted keys and no spaces: the same value always gives the same text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def recipe_hash(recipe: dict) -> str:
    """Identity of a recipe or other JSON value: the first 16 hexadecimal digits of the sha256 of its canonical JSON."""
    return hashlib.sha256(canonical_json(recipe).encode()).hexdigest()[:16]


def file_digest(path: Path) -> dict:
    """``{"sha256", "bytes"}`` of a file."""
    with open(path, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"sha256": digest, "bytes": path.stat().st_size}


def write_array(path: Path, array: np.ndarray) -> dict:
    """Write one `.npy` file whole or not at all; returns its digest."""
    write_whole(path, lambda stream: np.save(stream, array, allow_pickle=False))
    return file_digest(Path(path))


def write_manifest(folder: Path, manifest: dict) -> None:
    """Write `manifest.json` with its own digest, whole or not at all.

    It comes last: a folder without it is an unfinished data set.
    """
    write_whole(Path(folder) / "manifest.json", lambda stream: stream.write(_manifest_text(manifest)))


def _manifest_text(manifest: dict) -> bytes:
    manifest = manifest | {"manifest_digest": recipe_hash(manifest)}
    return (json.dumps(manifest, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


# ---------------------------------------------------------------------------------------------------- reading
@dataclass(frozen=True)
class DataSet:
    """An opened data set. Arrays are read when asked for; see `open_data_set`."""

    folder: Path
    manifest: dict

    @property
    def name(self) -> str:
        return self.manifest["name"]

    @property
    def recipe_hash(self) -> str:
        return self.manifest["recipe_hash"]

    @property
    def items(self) -> list[dict]:
        return self.manifest["items"]

    @cached_property
    def band(self) -> "Band | None":
        """Of the exit waves; None where the data set holds none."""
        from stemjax.physics.optics import Band  # a manifest is read without JAX

        return Band(**self.manifest["band"]) if "band" in self.manifest else None

    @cached_property
    def truth(self) -> np.ndarray:
        """Structured array of `TRUTH`, one row per projected column and item."""
        return self.array("truth.npy")

    def array(self, name: str) -> np.ndarray:
        """Memory map of one of the files, after a check of its digest.

        Raises
        ------
        OSError
            If the file is missing, damaged or unreadable; the message names it and the fix.
        """
        path = self.folder / name
        fix = "run `stemjax verify` on the folder, then `stemjax simulate` again to remake what is damaged"
        if not path.is_file():
            raise OSError(f"{path}: missing; {fix}")
        if file_digest(path) != self.manifest["files"][name]:
            raise OSError(f"{path}: damaged or replaced (its digest differs from the manifest); {fix}")
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            raise OSError(f"{path}: not a readable .npy file ({error}); {fix}") from error

    def waves(self, indices=None) -> np.ndarray:
        """Exit waves complex64 [n, K] of the items `indices` (default all), each checked to be finite."""
        indices = range(len(self.items)) if indices is None else indices
        waves = np.empty((len(indices), len(self.band.indices)), np.complex64)
        shards = {}
        for row, index in enumerate(indices):
            name, place = self.items[index]["shard"], self.items[index]["index"]
            if name not in shards:
                shards[name] = self.array(name)
            waves[row] = decode_waves(shards[name][place : place + 1])[0]
        if not np.isfinite(waves).all():
            raise OSError(f"{self.folder}: an exit wave holds NaN or Inf; run `stemjax verify` on the folder")
        return waves


def open_data_set(folder: str | Path, expected: str | None = None) -> DataSet:
    """Open the data set in `folder`.

    Parameters
    ----------
    expected : str, optional
        The recipe hash that the caller expects.

    Raises
    ------
    OSError
        If there is no finished data set in the folder, or its manifest cannot be read.
    ValueError
        If it is of another format or of another recipe, or of an older one that was not asked for.
    """
    folder = Path(folder)
    path = folder / "manifest.json"
    if not path.is_file():
        missing = "no manifest.json" if folder.is_dir() else "no such folder"
        raise OSError(f"{folder}: no finished data set here ({missing}); make one with `stemjax simulate`")
    try:
        manifest = json.loads(path.read_text())
    except ValueError as error:
        raise OSError(f"{path}: not readable as JSON ({error}); make the data set again") from error
    version = (manifest.get("format"), manifest.get("format_version")) if isinstance(manifest, dict) else None
    if version != (FORMAT, FORMAT_VERSION):
        raise ValueError(f"{path}: not a data set of format version {FORMAT_VERSION}; make it again")
    if manifest.pop("manifest_digest", None) != recipe_hash(manifest):
        raise OSError(f"{path}: damaged or edited (its digest differs); make the data set again")
    if expected is not None and manifest["recipe_hash"] != expected:
        recipe = manifest["recipe_hash"]
        raise ValueError(f"{folder}: recipe {recipe}, but {expected} is expected; use the folder it was made in")
    if expected is None and (reason := OLDER.get(manifest["recipe_hash"])):
        again = "delete it and make it again with `stemjax simulate`"
        raise ValueError(f"{folder}: {manifest['name']} of an older recipe ({reason}); {again}")
    return DataSet(folder, manifest)


def verify(folder: str | Path) -> list[str]:
    """Every difference between a data set's files and its manifest, one line each; an empty list means sound."""
    data = open_data_set(folder)
    problems = []
    if (data.folder / "manifest.json").read_bytes() != _manifest_text(data.manifest):
        problems.append("manifest.json: its text changed, though not its meaning")
    if recipe_hash(data.manifest["recipe"]) != data.recipe_hash:
        problems.append("manifest.json: the recipe does not match its recipe_hash")
    for name, expected in sorted(data.manifest["files"].items()):
        path = data.folder / name
        if not path.is_file():
            problems.append(f"{name}: missing")
            continue
        digest = file_digest(path)
        if digest["bytes"] != expected["bytes"]:
            problems.append(f"{name}: {digest['bytes']} bytes instead of {expected['bytes']}")
        elif digest["sha256"] != expected["sha256"]:
            problems.append(f"{name}: contents changed (sha256 differs)")
    return problems
