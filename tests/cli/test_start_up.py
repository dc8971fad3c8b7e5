"""What is asked for in vain, or needs no network, is answered before anything heavy is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

from stemjax.models import catalogue

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("jax", "flax", "optax", "orbax", "scipy", "skimage", "abtem", "ase")
CODE = """
import sys
{statement}
loaded = [name for name in {heavy} if name in sys.modules]
sys.exit(f"loaded: {{loaded}}" if loaded else 0)
"""


def run(statement: str) -> subprocess.CompletedProcess:
    """A statement in a fresh Python, which fails if it loads one of `HEAVY`."""
    code = CODE.format(statement=statement, heavy=HEAVY)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["denoise", "nosuch.tif"], "nosuch.tif: no such file"),
        (["denoise", "README.md", "--model", "gausian"], "did you mean 'gaussian'"),
        (["denoise", "gaussian"], "gaussian is a model, not a file"),
        (["denoise"], "no file given"),
        (["denoise", "README.md", "--model", "noise2void"], "noise2void has no weights of its own"),
        (["denoise", "README.md", "--train", "--model", "gaussian"], "gaussian is a filter"),
        (["denoise", "README.md", "--fine-tune", "nosuch"], "nosuch: not a run"),
        (["denoise", "--watch", "nosuch"], "--watch nosuch: not a folder"),
        (["evaluate", "nosuch", "--data", "x"], "no model named 'nosuch'"),
        (["evaluate", "noise2void", "--data", "tests"], "noise2void has no weights of its own"),
        (["evaluate", "gaussian", "--data", "nosuch"], "nosuch: missing"),
        (["evaluate", "--reproduce", "nosuch"], "'nosuch': not the id of a record"),
        (["train", "nosuch", "--data", "x"], "no model named 'nosuch'"),
        (["train", "gaussian", "--data", "x"], "gaussian is a filter"),
        (["train", "noise2void", "--data", "nosuch"], "nosuch: missing"),
        (["train", "noise2void", "--data", "tests", "--steps", "0"], "--steps must be at least 1"),
        (["train", "noise2void", "--data", "tests", "--start-from", "nosuch"], "no model named 'nosuch'"),
        (["ablate", "--networks", "nosuch"], "invalid choice 'nosuch'"),
        (["ablate", "--losses", "nosuch"], "invalid choice 'nosuch'"),
        (["models", "show", "nosuch"], "no model named 'nosuch'"),
        (["verify", "nosuch"], "nosuch: no such folder"),
        (["tables", "--results", "nosuch"], "no records here"),
        (["experiment", "run", "nosuch"], "no experiment named 'nosuch'"),
        (["doctor", "noise", "nosuch"], "nosuch: no such file"),
    ],
)
def test_a_mistake_is_named_at_once(arguments, said):
    done = run(f"from stemjax.cli import main; assert main({arguments!r}) == 2")
    assert done.returncode == 0, done.stderr
    assert said in done.stderr


@pytest.mark.parametrize(
    "statement, said",
    [
        ("from stemjax.cli import main; main(['models'])", "sbd-unet-4x64"),
        ("from stemjax.cli import main; main(['denoise', '--help'])", "--lookahead"),
        ("import stemjax; print(*stemjax.list_models())", "noise2void"),
        ("import stemjax; print(stemjax.__version__)", "0.1"),
    ],
)
def test_what_needs_no_network_loads_none(statement, said):
    done = run(statement)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


def test_the_catalogue_is_what_the_presets_are():
    """Every parameter counted, every field of view measured. If not: python -m stemjax.models.catalogue"""
    assert catalogue.CATALOGUE == catalogue.entries()
