"""`stemjax experiment`: regenerate published tables and figures."""

import fnmatch
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stemjax.cli import fail
from stemjax.cli.arguments import named

Size = Literal["smoke", "cpu", "gpu"]
Name = Annotated[str, tyro.conf.Positional, named("NAME")]
Names = Annotated[tuple[str, ...], tyro.conf.Positional, named("[NAME ...]")]
Limit = Annotated[float | None, named("SECONDS")]
Folder = Annotated[Path | None, named("FOLDER")]
Font = Annotated[str | None, named("NAME")]
Axes = Annotated[str | None, named("LETTERS")]


def list_() -> None:
    """List the experiments with the time, roughly, that each size takes."""
    experiments = from_checkout()
    width = max(map(len, experiments.NAMES)) + 2
    for name in experiments.NAMES:
        module = experiments.load(name).module
        times = ", ".join(f"{size} {time}" for size, time in module.TIMES.items())
        print(f"{name:<{width}}{module.__doc__.splitlines()[0]}\n{'':<{width}}{times}")


def run(
    name: Name,
    size: Size = "cpu",
    photos: Folder = None,
    font: Font = None,
    images: Folder = None,
    axes: Axes = None,
    time_limit: Limit = None,
) -> int:
    """Run one experiment: simulate, train and score what is missing, then write records, tables and figures.

    Args:
        name: Name from `stemjax experiment list`.
        size: smoke tries the whole path in about a minute, cpu is an honest small study, gpu the paper's size.
        photos: Folder of photographs (DIV2K, say) for sbd_table_3_1, instead of those that come with scikit-image.
        font: Family or file of a font with Chinese characters, for autoencoder_figure_4.
        images: Folder with noisy/ images, and clean/ ones of the same names if there are any, for autoencoder_figure_6.
        axes: What the axes of these images mean, e.g. HWC for RGB.
        time_limit: Seconds after which a training saves and stops; the same command goes on.
    """
    experiment = from_checkout().load(name)
    from dataclasses import replace

    from experiments.workspace import Workspace

    for mark, given, why in (
        ("USES_PHOTOGRAPHS", {"photos": photos}, "has no photographs"),
        ("USES_FONT", {"font": font}, "draws no characters"),
        ("USES_IMAGES", {"images": images, "axes": axes}, "takes no images of your own"),
    ):
        for option, value in given.items():
            if value and not getattr(experiment.module, mark, False):
                raise ValueError(f"{name} {why}: leave --{option} out")
    if axes and not images:
        raise ValueError(f"--axes {axes} is for images of your own: give --images, too")
    chosen = {"photos": photos, "font": font, "images": images, "axes": axes}
    workspace = replace(Workspace.for_size(size, time_limit), **{key: value for key, value in chosen.items() if value})
    try:
        experiment.run(size, workspace)
    except TimeoutError as stopped:
        print(stopped)
        return 0
    for path in sorted((workspace.results).glob(f"*/{name}.{size}.*")):
        print(path)
    return 0


def run_all(names: Names = (), size: Size = "smoke") -> int:
    """Run every experiment, one after the other; exits 1 if one failed.

    One on images of your own is left out, except at size smoke.

    Args:
        names: Only these; a name may hold `*`, and "!" before it leaves out: '!sbd_*', say. Default: all.
        size: See `stemjax experiment run`. Default: smoke (other verbs: cpu), since all of them at cpu take many hours.
    """
    experiments, failed = from_checkout(), []
    for name in chosen(experiments.NAMES, names):
        print(f"== {name}", flush=True)
        if size != "smoke" and getattr(experiments.load(name).module, "USES_IMAGES", False):
            print(f"left out: run it by itself, with --images FOLDER --size {size}", flush=True)
            continue
        try:
            run(name, size)
        except (OSError, ValueError, FloatingPointError) as error:
            fail(f"{name}: {error}", error)
            failed.append(name)
    return 1 if failed else 0


def chosen(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """The names that match the patterns, or all if there are none; in their own order.

    A pattern with ``!`` before it takes away what it matches; if the first one does, it takes it from all.

    Raises
    ------
    ValueError
        If a pattern matches none.
    """
    found = set() if patterns and not patterns[0].startswith("!") else set(names)
    for pattern in patterns:
        name = pattern.removeprefix("!")
        matching = set(fnmatch.filter(names, name))
        if not matching:
            raise ValueError(f"no experiment is named {name!r}; there are {', '.join(names)}")
        found = found - matching if name != pattern else found | matching
    return [name for name in names if name in found]


experiment = {"list": list_, "run": run, "run-all": run_all}


def from_checkout():
    """The package `experiments`, which is not part of the installed one.

    Raises
    ------
    OSError
        If the working folder is not a checkout.
    """
    if not Path("experiments/__init__.py").is_file():
        raise OSError("experiments and tables need a checkout: clone the project and run this in its folder")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    import experiments

    return experiments
