"""Imports run one way, from simulated physics to the leaderboard, and from what experiments share to each of them.

Read from the source: no function hides an import.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A layer may import from itself and from those before it.
LAYERS = (
    "config files physics metrics networks denoisers data training models apply records figures tables leaderboard cli"
).split()
# Imported by the CLI alone, inside functions; an experiment may simulate the data set that it lacks, in the same way.
ON_TOP = {"simulation": ("stemjax.cli", "experiments"), "experiments": ("stemjax.cli",)}
# Makes the clean images of old records again with the functions of the experiments that made them.
CONVERTER = "experiments.convert_nrmse"
# What `import stemjax` may load at the top of a module; SciPy and tifffile come with scikit-image.
CORE = {"jax", "flax", "optax", "orbax", "numpy", "skimage", "scipy", "tifffile", "stemjax"} | sys.stdlib_module_names
# Packages and the only places that import them.
CONFINED = {
    "abtem": ("simulation",),
    "ase": ("simulation",),
    "orbax": ("stemjax.training.checkpoint",),
    "tyro": ("stemjax.cli", "experiments"),
    "wandb": ("stemjax.training.train", "stemjax.cli.training"),  # a log callback
    "flax.linen": ("stemjax.networks",),
}
LONGEST = 400  # lines


@dataclass(frozen=True)
class Import:
    target: str  # dotted name: `from a import b` is a.b
    line: int
    lazy: bool  # inside a function, or for the type checker only


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def find_imports(tree: ast.AST, package: str, lazy: bool = False) -> Iterator[Import]:
    """Every import below `tree`, relative ones made absolute against `package`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join(parents + ([node.module] if node.module else []))
            yield from (Import(f"{origin}.{alias.name}", node.lineno, lazy) for alias in node.names)
        else:
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            inside |= isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            yield from find_imports(node, package, lazy or inside)


def layer(name: str) -> str | None:
    """The layer of a dotted name inside stemjax; None for the package itself and what it defines."""
    second = name.split(".")[1] if within(name, "stemjax") and "." in name else None
    return second if second in LAYERS else None


def module_of(path: Path, root: Path) -> str:
    """The dotted name of a file."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def level(path: Path, root: Path) -> int:
    """Of a file of experiments: 0 what all share, 1 what a paper's tables share, 2 a table, 3 what uses tables."""
    if module_of(path, root) == CONVERTER:
        return 3
    if re.search(r"^def table\(", path.read_text("utf-8"), re.MULTILINE):
        return 2
    return int(path.parent.name != "experiments")


def faults_in_experiments(root: Path) -> Iterator[str]:
    """Every import among experiments that is not from a lower level; what is shared may import within its own."""
    paths = {module_of(path, root): path for path in sorted(root.glob("experiments/**/*.py"))}
    levels = {name: level(path, root) for name, path in paths.items()}
    for name, path in paths.items():
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        for item in find_imports(ast.parse(path.read_text("utf-8")), package):
            target = next((t for t in (item.target, item.target.rpartition(".")[0]) if t in levels), None)
            if target and target != name and (levels[target] > levels[name] or levels[target] == levels[name] > 1):
                place, shared = path.relative_to(root).as_posix(), target.rpartition(".")[0].replace(".", "/")
                yield f"{place}:{item.line}: imports {target}: what both use goes to a shared file of {shared}"


def faults_of_import(module: str, item: Import) -> Iterator[str]:
    target, here = item.target, layer(module)
    in_library = within(module, "stemjax")
    if here and (there := layer(target)) and LAYERS.index(there) > LAYERS.index(here):
        yield f"layer {here} imports {target} from the later layer {there}"
    for top, users in ON_TOP.items():
        admitted = item.lazy and any(within(module, user) for user in users)
        if within(target, top) and not within(module, top) and not admitted:
            yield f"imports {target}: only {' and '.join(users)} may, inside a function"
    for package, places in CONFINED.items():
        if within(target, package) and not any(within(module, place) for place in places):
            yield f"imports {package}, which belongs in {' or '.join(places)} alone"
    if in_library and here != "cli" and not item.lazy and target.split(".")[0] not in CORE | set(ON_TOP):
        yield f"imports {target} at the top of the module: move it into the function that needs it"


def find_faults(root: Path) -> list[str]:
    """One line for every import that points the wrong way and every file that has outgrown one sitting."""
    faults = []
    for path in sorted(
        path for top in ("stemjax", *ON_TOP, "benchmarks", "tests") for path in root.glob(f"{top}/**/*.py")
    ):
        parts, module = path.relative_to(root).with_suffix("").parts, module_of(path, root)
        package = module if path.stem == "__init__" else module.rpartition(".")[0]
        place = path.relative_to(root).as_posix()
        source = path.read_text(encoding="utf-8")
        if (length := source.count("\n")) > LONGEST:
            faults.append(f"{place}: {length} lines, more than {LONGEST}: split it")
        if parts[0] == "stemjax" and len(parts) > 1 and parts[1] not in (*LAYERS, "__init__", "__main__"):
            faults.append(f"{place}: {parts[1]} has no place in LAYERS of tests/test_layers.py")
        if parts[0] in ("stemjax", *ON_TOP):
            for item in find_imports(ast.parse(source), package):
                faults += [f"{place}:{item.line}: {fault}" for fault in faults_of_import(module, item)]
        if parts[0] == "tests":
            for line in re.findall(r"^\W*((?:from|import) tests\b.*\btest_.*)", source, re.MULTILINE):
                faults.append(f"{place}: {line}: what test modules share goes to tests/toys")
    return faults + list(faults_in_experiments(root))


def find_circle(root: Path) -> list[str]:
    """Modules that import each other at their top, in the order of the circle; none if there is none."""
    paths = sorted(path for top in ("stemjax", *ON_TOP) for path in root.glob(f"{top}/**/*.py"))
    names = {path: module_of(path, root) for path in paths}
    imported: dict[str, set[str]] = {}
    for path, name in names.items():
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        targets = [i.target for i in find_imports(ast.parse(path.read_text("utf-8")), package) if not i.lazy]
        known = [{t, t.rpartition(".")[0]} & set(names.values()) for t in targets]
        imported[name] = {max(them, key=len) for them in known if them} - {name}
    while ends := [name for name, needs in imported.items() if not needs & set(imported)]:
        imported = {name: needs for name, needs in imported.items() if name not in ends}
    circle = sorted(imported)[:1]
    while circle and len(set(circle)) == len(circle):
        circle.append(min(imported[circle[-1]] & set(imported)))
    return circle


def write_tree(root: Path, files: dict[str, str]) -> Path:
    for name, source in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(source, encoding="utf-8")
    return root


def test_imports_run_one_way():
    assert find_faults(ROOT) == []


def test_no_modules_import_each_other(tmp_path):
    """Inside a room, too."""
    assert find_circle(ROOT) == []
    pair = {"stemjax/data/a.py": "from stemjax.data.b import f", "stemjax/data/b.py": "from . import a"}
    assert find_circle(write_tree(tmp_path, pair)) == ["stemjax.data.a", "stemjax.data.b", "stemjax.data.a"]
    pair["stemjax/data/b.py"] = "def f():\n    from . import a"
    assert find_circle(write_tree(tmp_path, pair)) == []


def test_a_sound_tree_has_no_faults(tmp_path):
    sound = {
        "stemjax/__init__.py": "__version__ = '1'",
        "stemjax/physics/noise.py": "import jax\nimport numpy as np",
        "stemjax/data/micrographs.py": "from ..physics import noise\nfrom .datasets import DataSet",
        "stemjax/networks/unet.py": "import flax.linen as nn\nfrom .layers import conv\nfrom . import layers",
        "stemjax/training/train.py": "def log():\n    import wandb\n    import rich",
        "stemjax/cli/train.py": "import tyro\nfrom ..training import train\ndef make():\n    import simulation.maker",
        "simulation/maker.py": "import abtem\nfrom stemjax.data import datasets",
        "experiments/zoo.py": "import tyro\nfrom stemjax import records\nfrom experiments.workspace import Workspace",
        "experiments/workspace.py": "from dataclasses import dataclass",
        "experiments/n2v/__init__.py": "from experiments.workspace import Workspace",
        "experiments/n2v/notes.py": "from experiments import n2v",
        "experiments/n2v/figure_8.py": "from experiments.n2v import notes\n\ndef table(found, scores): ...",
        "experiments/convert_nrmse.py": "from experiments.n2v import figure_8",
    }
    assert find_faults(write_tree(tmp_path, sound)) == []


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("stemjax/physics/noise.py", "from stemjax.training import train"),
        ("stemjax/physics/noise.py", "import stemjax.data.micrographs"),
        ("stemjax/physics/noise.py", "from ..metrics.image import score"),
        ("stemjax/physics/noise.py", "def sample():\n    from ..data import batches"),
        ("stemjax/metrics/image.py", "from ..networks.unet import UNet"),
        ("stemjax/metrics/__init__.py", "from ..networks import UNet"),
        ("stemjax/metrics/image.py", "from .. import records"),
        ("stemjax/training/train.py", "def run():\n    import simulation.maker"),
        ("stemjax/cli/simulate.py", "from simulation import maker"),
        ("experiments/table.py", "import simulation"),
        ("simulation/maker.py", "def run():\n    import experiments.zoo"),
        ("stemjax/physics/optics.py", "def check():\n    import abtem"),
        ("experiments/table.py", "from ase import Atoms"),
        ("stemjax/training/train.py", "import orbax.checkpoint as ocp"),
        ("stemjax/models/presets.py", "def parse():\n    import tyro"),
        ("stemjax/records.py", "def log():\n    import wandb"),
        ("stemjax/denoisers/sbd.py", "from flax import linen as nn"),
        ("stemjax/tables.py", "import matplotlib.pyplot as plt"),
        ("stemjax/tables.py", "class Table:\n    from rich import print"),
        ("stemjax/helpers.py", ""),
        ("stemjax/physics/noise.py", "\n" * 401),
        ("tests/data/test_crops.py", "def test():\n    from tests.data.test_images import images"),
        ("tests/toys/crops.py", "from tests.data import test_images"),
        ("tests/data/test_crops.py", 'CODE = """\nfrom tests.data.test_images import images\n"""'),
    ],
)
def test_a_planted_fault_is_found(tmp_path, place, source):
    faults = find_faults(write_tree(tmp_path, {place: source}))
    assert len(faults) == 1 and faults[0].startswith(place)


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("experiments/n2v/figure_1.py", "from experiments.n2v import figure_8\ndef table(found, scores): ..."),
        ("experiments/n2v/figure_1.py", "def table(found, scores):\n    from experiments.n2v.figure_8 import LEVELS"),
        ("experiments/n2v/figure_1.py", "from .figure_8 import LEVELS\ndef table(found, scores): ..."),
        ("experiments/n2v/notes.py", "from experiments.n2v.figure_8 import LEVELS"),
        ("experiments/workspace.py", "from experiments import n2v"),
        ("experiments/ablation.py", "from experiments.n2v.figure_8 import LEVELS"),
    ],
)
def test_no_table_imports_another(tmp_path, place, source):
    """Nor does what tables share import one of them, nor what all share the folder of a paper."""
    tree = {
        "experiments/n2v/__init__.py": "",
        "experiments/n2v/figure_8.py": "LEVELS = ()\n\ndef table(found, scores): ...",
    }
    (fault,) = find_faults(write_tree(tmp_path, tree | {place: source}))
    assert fault.startswith(place) and "what both use goes to a shared file" in fault
