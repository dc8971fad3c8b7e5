"""Make any data set in a folder, in a way that a kill cannot spoil: the one place that knows how.

A data set's own file (`pt_ceo2`, `au_graphene`, `haadf_pt`, `hrtem_movies`, `lattice`, `atoms`) has a `Plan`:
what the set consists of, its recipe, how one part is made, and what its items say. `make` does the rest:

1. It is the only writer of the folder, and refuses one that holds data of another recipe.
2. It makes the parts that are missing. A part is a shard `NAME.npy`; its marker `markers/NAME.json`, written after it,
   holds its digest, the recipe hash and what else is to be kept. What has a sound marker is never made again.
3. It writes the manifest last. So an interrupted and resumed run ends with the same bytes.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

import numpy as np

from simulation.folder import locked, reporter
from simulation.workers import run_tasks
from stemjax.data import datasets
from stemjax.files import write_whole

SIZES = ("smoke", "cpu", "gpu")
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Part:
    """A finished part: the shard's path, and the facts that its marker keeps."""

    path: Path
    facts: dict

    @property
    def array(self) -> np.ndarray:
        """The shard, read from disk."""
        return np.load(self.path)


@dataclass(frozen=True)
class Contents:
    """What a finished data set consists of beside its parts.

    Parameters
    ----------
    items : list of dict
        The manifest's description of each item, its unit and split among them.
    manifest : dict
        What else the manifest says: units, axes, frame, ...
    arrays : dict
        File name -> array of the files that are made of the parts, or in a moment.
    """

    items: list[dict]
    manifest: dict
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


class Plan(Protocol):
    """What the file of a data set has to say. A frozen dataclass that other processes can be given."""

    what: str
    """Its parts, in the plural: for the progress."""
    spread: bool
    """Whether parts are made by processes of one thread each. If not, one after the other in this one."""

    @property
    def name(self) -> str:
        """Of the data set, as its manifest says it."""

    def recipe(self) -> dict:
        """Everything that decides what is in the files, as a JSON value: its hash is the data set's identity."""

    def parts(self) -> Sequence[str]:
        """Names of the parts, in the order in which they are to be made.

        Raises
        ------
        ValueError
            If they cannot be made: called before anything is written.
        """

    def make_part(self, name: str) -> tuple[np.ndarray, dict]:
        """A part's array, and facts for its marker (a JSON value). The slow work."""

    def contents(self, parts: Mapping[str, Part]) -> Contents:
        """The rest, when all parts are there. A moment's work: it is done again at every call."""


def make(out: str | Path, plan: Plan, workers: int | None = None, progress: bool = True) -> datasets.DataSet:
    """Make the data set of a plan in the folder `out`, or finish it; a finished one is checked and mended.

    Parameters
    ----------
    out : path
        Folder of this data set alone; made if missing.
    plan : Plan
    workers : int, optional
        Processes, where the plan spreads its parts; default: one per core.
    progress : bool
        Report progress on stderr.

    Raises
    ------
    OSError
        If another process writes to the folder, the disk is full, or a worker dies.
    ValueError
        If the folder holds data of another recipe, or the plan cannot be made.
    """
    out, recipe, names = Path(out), plan.recipe(), plan.parts()
    identity = datasets.recipe_hash(recipe)
    with locked(out):
        _refuse_other_recipe(out, identity)
        if names:
            (out / "markers").mkdir(exist_ok=True)
        markers = {name: _sound_marker(out, name) for name in names}
        todo = [name for name, marker in markers.items() if marker is None]
        tasks = [(out, plan, name, identity) for name in todo]
        if plan.spread:
            run_tasks(_write_part, tasks, out, plan.what, len(names), workers, progress)
        elif tasks:
            done = len(names) - len(tasks)
            with reporter(plan.what, done, len(names), progress) as report:
                for count, task in enumerate(tasks, done + 1):
                    _write_part(*task)
                    report(count)
        _write_rest(out, plan, recipe, identity, markers | {name: _sound_marker(out, name) for name in todo})
    return datasets.open_data_set(out, identity)


def _write_part(out: Path, plan: Plan, name: str, identity: str) -> None:
    """Make one part; write its shard and then its marker."""
    array, facts = plan.make_part(name)
    with _writing(out):
        digest = datasets.write_array(out / f"{name}.npy", array)
        marker = json.dumps({"recipe_hash": identity, "file": digest} | facts, indent=1)
        write_whole(_marker_path(out, name), lambda stream: stream.write(marker.encode()))


def _write_rest(out: Path, plan: Plan, recipe: dict, identity: str, markers: dict[str, dict]) -> None:
    """Write the other files and then the manifest."""
    contents = plan.contents({name: Part(out / f"{name}.npy", marker) for name, marker in markers.items()})
    units = {split: {item["unit"] for item in contents.items if item["split"] == split} for split in SPLITS}
    with _writing(out):
        files = {f"{name}.npy": marker["file"] for name, marker in markers.items()}
        files |= {name: datasets.write_array(out / name, array) for name, array in contents.arrays.items()}
        common = {
            "format": datasets.FORMAT,
            "format_version": datasets.FORMAT_VERSION,
            "name": plan.name,
            "recipe": recipe,
            "recipe_hash": identity,
            "items": contents.items,
            "splits": {split: sorted(names) for split, names in units.items()},
            "files": files,
        }
        datasets.write_manifest(out, contents.manifest | common)


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    """Say in one line that the folder cannot be written to, and why."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or "is the disk full?"  # NumPy gives no reason
        raise OSError(f"{out}: cannot write ({reason}); mend that and run again to continue") from error


# ---------------------------------------------------------------------------------------------------- markers
def _marker_path(out: Path, name: str) -> Path:
    return out / "markers" / f"{name}.json"


def _sound_marker(out: Path, name: str) -> dict | None:
    """The marker of a part, if it is readable and the shard is the one it describes."""
    marker, shard = _read_json(_marker_path(out, name)), out / f"{name}.npy"
    return marker if marker and shard.is_file() and datasets.file_digest(shard) == marker["file"] else None


def _refuse_other_recipe(out: Path, identity: str) -> None:
    """Make sure that all that is in a folder is of one recipe.

    Raises
    ------
    ValueError
        If a manifest or a marker is of another.
    """
    for path in [out / "manifest.json", *sorted(out.glob("markers/*.json"))]:
        recipe = _read_json(path).get("recipe_hash", identity)
        if recipe != identity:
            fix = "choose another folder or delete this one"
            raise ValueError(f"{out}: holds data of another recipe ({recipe}, not {identity}); {fix}")


def _read_json(path: Path) -> dict:
    """A JSON file's value; empty if it is missing or damaged, since then what it describes is made again."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


# ---------------------------------------------------------------------------------------------------- for plans
def as_json(value):
    """The value as it comes back from a JSON file: tuples become lists."""
    return json.loads(json.dumps(value))


def package_versions(*packages: str) -> dict[str, str]:
    """Versions of installed packages, for a recipe.

    Raises
    ------
    OSError
        If one is not installed.
    """
    try:
        return {package: version(package) for package in packages}
    except PackageNotFoundError as error:
        fix = "install the extra: pip install -e '.[simulation]'"
        raise OSError(f"{error.name} is not installed; {fix}") from None


def plan_of_size(name: str, plans: Mapping[str, Plan], size: str) -> Plan:
    """The plan of a size.

    Raises
    ------
    ValueError
        If there is none; the message lists the sizes.
    """
    if size not in plans:
        raise ValueError(f"no data set {name!r} of size {size!r}; sizes: {', '.join(plans)}")
    return plans[size]
