"""The page of the contract knows all: no denoiser has a public member, and no code asks one for a name, beyond it.

And the README's example of a new method, as somebody writes it who knows NumPy and SciPy alone, is a denoiser.
"""

import ast
import dataclasses
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from scipy.ndimage import median_filter

from stemjax import config
from stemjax.apply import evaluate, inference
from stemjax.apply.live import LiveMovie
from stemjax.data.hrtem_movies import HrtemImaging
from stemjax.denoisers import protocol
from stemjax.denoisers.gaussian import Gaussian
from stemjax.denoisers.per_channel import PerChannel
from stemjax.denoisers.protocol import ask

ROOT = Path(__file__).resolve().parents[2]
NAMES = {"name", "denoise", *protocol.OPTIONAL}
TAGS = [(place, tag) for place, tags in config.PLACES.items() for tag in tags]
REGISTERED = [
    getattr(importlib.import_module(place), tag.rpartition(".")[2])
    for place, tag in TAGS
    if place.startswith("stemjax.denoisers")
]
SETTINGS = {field.name for cls in REGISTERED for field in dataclasses.fields(cls)}
PROBED_SETTINGS = {"low_pass"}  # WCVD and WCID have it: an experiment tunes it where it is there
OF_DICTS = {"get"}  # a record names its denoiser by a configuration, a dict


def strangers(cls: type) -> set[str]:
    """Public members of a denoiser that are neither settings nor on the page."""
    settings = {field.name for field in dataclasses.fields(cls)}
    return {name for name in dir(cls) if not name.startswith("_")} - settings - NAMES


def probes(source: str) -> Iterator[tuple[int, str]]:
    """(line, name) of what a source asks denoisers for by hasattr, getattr or `ask`, unless the page knows it."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or len(node.args) < 2 or not isinstance(node.func, ast.Name):
            continue
        what, name = ast.unparse(node.args[0]), node.args[1]
        by_python = node.func.id in ("hasattr", "getattr") and re.search(r"denoiser$|^class_of\(", what)
        if (by_python or node.func.id == "ask") and isinstance(name, ast.Constant):
            if name.value not in NAMES | PROBED_SETTINGS:
                yield node.lineno, name.value


def reads(source: str) -> Iterator[tuple[int, str]]:
    """(line, name) of every attribute of a ``denoiser`` that is read and is neither a setting nor on the page."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and not node.attr.startswith("_"):
            if re.search(r"(^|\.)denoiser$", ast.unparse(node.value)) and node.attr not in NAMES | SETTINGS | OF_DICTS:
                yield node.lineno, node.attr


def sources() -> Iterator[tuple[str, str]]:
    for top in ("stemjax", "experiments", "simulation", "benchmarks"):
        for path in sorted(ROOT.glob(f"{top}/**/*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


# ---------------------------------------------------------------------------------------------------- the page
def test_the_page_lists_each_member_once():
    defined_there = [c for c in vars(protocol).values() if getattr(c, "__module__", "") == protocol.__name__]
    classes = [c for c in defined_there if getattr(c, "_is_protocol", False)]
    members = [name for c in classes for name in {*vars(c), *c.__annotations__} if not name.startswith("_")]
    assert sorted(members) == sorted(NAMES)


@pytest.mark.parametrize("cls", REGISTERED, ids=lambda cls: cls.__name__)
def test_a_denoiser_has_what_the_page_knows(cls):
    assert strangers(cls) == set()
    assert callable(cls.denoise) and "name" in dir(cls)
    assert (ask(cls, "init") is None) == (ask(cls, "loss") is None)


def test_the_code_asks_for_what_the_page_knows():
    found = [(place, *fault) for place, source in sources() for fault in (*probes(source), *reads(source))]
    assert found == []


def test_what_the_page_does_not_know_is_refused():
    @dataclasses.dataclass(frozen=True)
    class Sharpened(Gaussian):
        edge: float = 1.0

        def sharpen(self, noisy):
            return noisy

    assert strangers(Sharpened) == {"sharpen"}
    planted = 'if hasattr(run.denoiser, "sharpen") or getattr(class_of(c), "edges", 0): model.denoiser.sharpen(x)'
    assert sorted(probes(planted)) == [(1, "edges"), (1, "sharpen")] and list(reads(planted)) == [(1, "sharpen")]
    assert list(probes('ask(method, "sharp")')) == [(1, "sharp")]
    with pytest.raises(KeyError, match="sharpen"):
        ask(Sharpened(), "sharpen")


def test_defaults_of_a_plain_filter():
    assert not protocol.is_trainable(Gaussian()) and not protocol.takes_movies(Gaussian())
    assert ask(Gaussian(), "tunable") == Gaussian.tunable and ask(Gaussian(), "network") is None


# ---------------------------------------------------------------------------------------------------- a new method
@pytest.fixture(scope="module")
def example() -> str:
    """The README's code of a median filter."""
    section = (ROOT / "README.md").read_text("utf-8").split("## Add a method")[1]
    return section.split("```python\n")[1].split("```")[0]


@pytest.fixture(scope="module")
def images() -> evaluate.ImageSet:
    """Six images of counts on a lattice, of three units."""
    y, x = np.mgrid[:48, :48] * 2 * np.pi / 16
    clean = np.repeat((8 + 4 * np.cos(x) * np.cos(y))[None, ..., None], 6, 0).astype(np.float32)
    noisy = np.random.default_rng(0).poisson(clean).astype(np.float32)
    listed = SimpleNamespace(unit=np.repeat(["a", "b", "c"], 2))
    return evaluate.ImageSet(clean, noisy, listed, [f"image{n}" for n in range(6)], HrtemImaging())


def defined(source: str):
    """The class `Median` of a source."""
    scope = {"__name__": "somebodys_module"}
    exec(source, scope)
    return scope["Median"]


def test_the_readmes_example_is_denoised_with_scored_and_tuned(example, images):
    median = defined(example)()
    assert strangers(type(median)) == set()
    denoised = inference.denoise_image(median, {}, images.noisy[0])
    np.testing.assert_array_equal(denoised, median_filter(images.noisy[0], size=(5, 5, 1)))
    assert denoised.dtype == np.float32 and len(inference.denoise_image(median, {}, images.noisy)) == 6  # and a movie
    scores = evaluate.scores(evaluate.denoise_all(median, {}, images.noisy), images)
    raw = evaluate.scores(images.noisy, images, clamp=False)
    assert min(row["psnr_db"] for row in scores) > max(row["psnr_db"] for row in raw)
    tuned, tuning = evaluate.tune(median, images)
    assert tuned.radius in (1, 2, 3, 4) and tuning["radius"]["values"] == [1, 2, 3, 4]
    both = PerChannel((median, Gaussian()))
    assert inference.denoise_image(both, {}, np.repeat(images.noisy[0], 2, -1)).shape == (48, 48, 2)


def test_without_on_host_the_error_says_what_to_write(example, images):
    lines = [line for line in example.splitlines() if "on_host" not in line]
    assert len(lines) == len(example.splitlines()) - 1
    with pytest.raises(ValueError, match=r"write `on_host: ClassVar\[bool\] = True` in the class Median") as caught:
        inference.denoise_image(defined("\n".join(lines))(), {}, images.noisy[0])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        "np.asarray(noisy)",
        "noisy if noisy.max() > 1 else 2 * noisy",
        "noisy[noisy > 3]",
        "np.clip(np.ascontiguousarray(noisy), 0, 1)",
        "noisy.__setitem__(noisy > 3, 0)",
        "float(noisy.mean()) + noisy",
        "int(noisy.max()) * noisy",
    ],
)
def test_other_numpy_code_is_recognised(body, images):
    source = (
        f"import numpy as np\nclass Median:\n    def denoise(self, variables, noisy, key=None):\n        return {body}"
    )
    with pytest.raises(ValueError, match="on_host"):
        inference.denoise_image(defined(source)(), {}, images.noisy[0])


def test_an_error_of_the_method_itself_stays(images):
    source = "class Median:\n    def denoise(self, variables, noisy, key=None):\n        raise ValueError('too noisy')"
    with pytest.raises(ValueError, match="^too noisy"):
        inference.denoise_image(defined(source)(), {}, images.noisy[0])


@dataclasses.dataclass(frozen=True)
class Careless:
    """Writes into what it is given, gives float64, and looks at the frame before."""

    name: ClassVar[str] = "careless"
    on_host: ClassVar[bool] = True
    frames: ClassVar[tuple[int, int]] = (1, 0)

    def denoise(self, variables, noisy, key=None):
        assert isinstance(noisy, np.ndarray)
        noisy[noisy > 9] = 9
        return np.stack([noisy[:, max(t - 1, 0) : t + 1].mean(1) for t in range(noisy.shape[1])], 1).astype(float)


def test_numpy_code_may_write_into_its_copy_and_see_movies(images):
    before = images.noisy.copy()
    denoised = inference.denoise_image(Careless(), {}, images.noisy)
    np.testing.assert_array_equal(images.noisy, before)
    assert denoised.dtype == np.float32 and denoised.max() <= 9
    live = LiveMovie(Careless())
    live.warm_up({}, images.noisy[0])
    came = [frame for noisy in images.noisy for frame in live.push({}, noisy)] + live.finish({})
    np.testing.assert_allclose(np.stack(came)[1:], denoised[1:], rtol=1e-6)


def test_another_shape_is_refused(images):
    source = "class Median:\n    def denoise(self, variables, noisy, key=None):\n        return noisy[:, ::2]"
    with pytest.raises(ValueError, match=r"Median.denoise made \(1, 24, 48, 1\) of \(1, 48, 48, 1\)"):
        inference.denoise_image(defined(source)(), {}, images.noisy[0])
