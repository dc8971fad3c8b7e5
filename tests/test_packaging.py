"""Set-up as a newcomer meets it: a small core, a lock that installs anywhere, README commands that CI really runs."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def run_python(code: str) -> str:
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def normalise(requirement: str) -> str:
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower().replace("_", "-").replace(".", "-")


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def locked() -> list[str]:
    """Logical lines of the lock: one requirement each, with its marker and hashes."""
    text = (ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_import_loads_nothing_heavy():
    loaded = set(run_python("import sys, stemjax; print(*{name.split('.')[0] for name in sys.modules})").split())
    assert "stemjax" in loaded
    assert not loaded & {"tyro", "rich", "matplotlib", "abtem", "ase", "wandb", "orbax", "tensorstore"}


def test_library_imports_without_the_rest():
    """Every module but the CLI, on a machine that has the core alone (the blocked imports raise)."""
    imported = run_python(
        "import importlib, pkgutil, sys\n"
        "for name in ('tyro', 'matplotlib', 'abtem', 'ase', 'wandb', 'rsciio', 'mrcfile', 'h5py', 'simulation'):\n"
        "    sys.modules[name] = None\n"
        "import stemjax\n"
        "for module in pkgutil.walk_packages(stemjax.__path__, 'stemjax.'):\n"
        "    if not module.name.startswith('stemjax.cli') and not module.name.endswith('__main__'):\n"
        "        print(importlib.import_module(module.name).__name__)\n"
    )
    assert "stemjax.physics.optics" in imported.split()


def test_lock_pins_and_hashes_everything(locked):
    for line in locked:
        assert re.match(r"[A-Za-z0-9._-]+==[^ ]+ ", line), line[:80]
        assert HASH.search(line), line[:80]


def test_lock_names_no_address_and_no_path():
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        assert not re.search(r"http|file:|/|--(?!hash=)|@", HASH.sub("", line)), line


def test_lock_covers_what_make_installs(project, locked):
    extras = project["optional-dependencies"]
    wanted = {normalise(name) for name in project["dependencies"] + extras["simulation"] + extras["dev"]}
    assert wanted <= {normalise(line) for line in locked}


def test_lock_holds_a_jax_for_each_python(locked):
    lines = [line.split("--hash")[0] for line in locked if line.startswith("jax==")]
    assert [re.match(r"jax==(\d+\.\d+)", line)[1] for line in lines] == ["0.10", "0.11"]
    assert "< '3.12'" in lines[0] and ">= '3.12'" in lines[1]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_ci_runs_the_readme_commands(tmp_path):
    commands = subprocess.run([ROOT / ".ci" / "run", "--commands"], check=True, capture_output=True, text=True).stdout
    assert commands.splitlines() == ["make quickstart", "make test"]

    drifted = (ROOT / "README.md").read_text().replace("make test", "make check")
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    (tmp_path / "README.md").write_text(drifted)
    result = subprocess.run([tmp_path / ".ci" / "run", "--commands"], capture_output=True, text=True)
    assert result.returncode == 1 and "README.md has no fenced block" in result.stderr


def test_the_table_of_throughput_is_what_was_measured():
    folder = ROOT / "results" / "benchmarks"
    load = "json.load(open('results/benchmarks/wcvd.json'))"
    code = f"import json; from benchmarks.wcvd import markdown; print(markdown({load}), end='')"
    assert run_python(code) == (folder / "wcvd.md").read_text()
