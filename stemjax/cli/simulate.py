"""`stemjax simulate`: make a data set from atoms; export one as images."""

import ast
import importlib.util
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stemjax.cli.arguments import Flag, Folder, MaybeCount, named


def pt_ceo2(
    out: Folder,
    size: Literal["smoke", "cpu", "gpu"] = "cpu",
    cell: Annotated[float, named("ANGSTROM")] = 50.1,
    surface: Flag = False,
    structure: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, named("NAME")] = (),
    thickness: Annotated[int | None, named("ANGSTROM")] = None,
    tilt: Annotated[tuple[int, int] | None, named("DEGREES DEGREES")] = None,
    workers: MaybeCount = None,
) -> int:
    """Simulate Pt nanoparticles on CeO2 with abTEM: exit waves, column positions and manifest. Stopped, it continues.

    Args:
        out: Folder of the data set.
        size: smoke is 10 exit waves in seconds, cpu 285 in minutes, gpu the paper's whole grid of 855. Default: cpu,
            as of all verbs but `experiment run-all`.
        cell: Side of the square cell. Default: 50.1.
        surface: The 44 structures with atoms removed from or added to the surface instead.
        structure: This structure instead, by a name as the paper's authors give it; as often as you like.
            PtNp2-S3_2-S5_2 is PtNp2 without 2 atoms at the left ends of its third and its first row.
        thickness: Thickness of the support of these structures: 30, 40, 50 or 60. Default: 40.
        tilt: Their tilt about x and about y. Default: 3 -1.
        workers: Processes. Default: one per core.
    """
    module = _from_checkout("simulation.pt_ceo2")
    if structure:
        if surface:
            raise ValueError("--surface is a set of structures of its own: leave it out, or --structure")
        work = module.plan_of_names(structure, thickness or 40, (tilt,) if tilt else module.SURFACE_TILTS, cell)
        return _stoppable(lambda: module.make(out, work, workers), "exit waves")
    if thickness or tilt:
        raise ValueError("--thickness and --tilt are of structures named by --structure: leave them out")
    name = "pt-ceo2-surface" if surface else "pt-ceo2"
    return _stoppable(lambda: module.make_pt_ceo2(out, size, workers, cell, name=name), "exit waves")


def atoms(out: Folder, data: Folder = Path("data"), size: Literal["smoke", "cpu", "gpu"] = "cpu") -> int:
    """Render clean images of atoms of many kinds from the data sets that are there, in minutes. Stopped, it continues.

    Args:
        out: Folder of the data set.
        data: Folder that holds the data sets pt-ceo2-SIZE, au-graphene-SIZE and haadf-pt-SIZE.
        size: Also of these data sets. smoke is 112 stills of 64², cpu 688 of 128², gpu 1584 of 160².
    """
    module = _from_checkout("simulation.atoms")
    return _stoppable(lambda: module.make_atoms(out, data, size), "stills")


def movies(
    kind: Literal["pt", "au", "co", "sbd"],
    /,
    out: Folder,
    size: Literal["smoke", "cpu", "gpu"] = "cpu",
    workers: MaybeCount = None,
) -> int:
    """Simulate HRTEM movies with abTEM: exit waves, drift, changes and column positions. Stopped, it continues.

    Args:
        kind: Pt on CeO2, Au on carbon, Co on CeO2, or the still movie of the SBD paper.
        out: Folder of the data set.
        size: smoke is 3 movies of 6 frames of 64², cpu 13 of 20 frames of 256² in minutes, gpu of 512² or 1024².
        workers: Processes. Default: one per core.
    """
    module = _from_checkout("simulation.hrtem_movies")
    return _stoppable(lambda: module.make_hrtem_movies(out, kind, size, workers), "movies")


def held_out(
    out: Folder,
    size: Literal["smoke", "cpu", "gpu"] = "cpu",
    results: Annotated[Path, named("FOLDER")] = Path("results"),
) -> int:
    """Simulate the held-out movies of the benchmark, whose seed is the first commit after a version still to come.

    Args:
        out: Folder of the data set.
        size: Frames as of the data set of gold on graphene of that size; 20 movies, all of them for the test.
        results: Folder with the benchmark's definition, in the checkout whose history has the seed. Default: results.
    """
    from stemjax.leaderboard import benchmark
    from stemjax.leaderboard.held_out import seed_after

    module = _from_checkout("simulation.au_graphene")
    commit, seed = seed_after(results, benchmark.read(results).held_out["later_version"])
    print(f"seed {seed}, from commit {commit}")
    return _stoppable(lambda: module.make_au_graphene(out, size, held_out_seed=seed), "movies")


def export_images(data: Folder, /, out: Folder) -> None:
    """Write a data set as float32 TIFF images with pixel size (of movies, noisy and clean), and a CSV of conditions.

    Args:
        data: Folder of the data set.
        out: Folder of the images.
    """
    _from_checkout("simulation.export").export_images(data, out)
    print(out)


def _of_size(stem: str, source: str) -> Callable:
    """The verb of a data set that is made from its size alone; its help is in the words of its file in `simulation`."""
    module = ast.parse(source)
    make = next(one for one in module.body if getattr(one, "name", None) == f"make_{stem}")
    about = ast.get_docstring(module).splitlines()[0]
    sizes = re.search(r"^size : str\n((?: {4}.*\n)+)", ast.get_docstring(make), re.MULTILINE)[1]

    def verb(out: Folder, size: Annotated[str, named("SIZE")] = "cpu") -> int:
        module = _from_checkout(f"simulation.{stem}")
        return _stoppable(lambda: getattr(module, f"make_{stem}")(out, size=size), "items")

    verb.__doc__ = f"""Make {about[0].lower()}{about[1:]} Stopped, it continues.

    Args:
        out: Folder of the data set.
        size: {" ".join(sizes.split())}
    """
    return verb


def _verbs() -> dict[str, Callable]:
    """The verbs above, and one for every other file of `simulation` that makes a data set: the folder is the list."""
    special = {"pt_ceo2": pt_ceo2, "atoms": atoms, "hrtem_movies": movies}
    verbs = {"pt-ceo2": pt_ceo2, "movies": movies, "atoms": atoms}
    package = importlib.util.find_spec("simulation")
    for path in sorted(Path(package.origin).parent.glob("*.py")) if package else ():
        if path.stem not in special and f"\ndef make_{path.stem}(" in (source := path.read_text("utf-8")):
            verbs[path.stem.replace("_", "-")] = _of_size(path.stem, source)
    return verbs | {"held-out": held_out, "export-images": export_images}


def _stoppable(make, what: str) -> int:
    """Make a data set and say so, or how to go on if it was interrupted; returns the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        data = make()
    except KeyboardInterrupt:
        print("interrupted; the same command continues", file=sys.stderr)
        return 130
    print(f"{data.folder}: {len(data.items)} {what}, recipe {data.recipe_hash}")
    return 0


def _from_checkout(module: str):
    """A module of `simulation`, which is not part of the installed package.

    Raises
    ------
    OSError
        If there is no checkout, or it lacks a package.
    """
    if importlib.util.find_spec("simulation") is None:
        raise OSError("simulation is used from a checkout: clone the project and run this there")
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise OSError(f"{error.name or error} is not installed: pip install -e '.[simulation]'") from error


simulate = _verbs()
