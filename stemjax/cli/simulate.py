"""`stemjax simulate`: make a data set from atoms; export one as images."""

import signal
import sys
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


def au_graphene(out: Folder, size: Literal["smoke", "cpu", "gpu"] = "cpu") -> int:
    """Simulate movies of Au adatoms on graphene: contrast library by abTEM and adatom positions. Stopped, it continues.

    Args:
        out: Folder of the data set.
        size: smoke is 8 movies of 4 frames of 128², cpu 44 of 16 frames in minutes, gpu 22 of 100 frames of 512².
    """
    module = _from_checkout("simulation.au_graphene")
    return _stoppable(lambda: module.make_au_graphene(out, size), "movies")


def haadf_pt(out: Folder, size: Literal["smoke", "cpu", "gpu", "gpu-1024"] = "cpu") -> int:
    """Simulate HAADF movies of Pt atoms and clusters on carbon: contrast library by abTEM. Stopped, it continues.

    Args:
        out: Folder of the data set.
        size: smoke is 5 movies of 4 frames of 64², cpu 44 of 16 frames of 128² in minutes, gpu of 512² or 1024².
    """
    module = _from_checkout("simulation.haadf_pt")
    return _stoppable(lambda: module.make_haadf_pt(out, size), "movies")


def lattice(out: Folder, size: Literal["smoke", "cpu", "gpu"] = "cpu") -> int:
    """Make movies of a distorted crystal lattice, in a moment: the drift of each.

    Args:
        out: Folder of the data set.
        size: smoke is 5 movies of 4 frames of 64², cpu 18 of 12 frames of 256², gpu 18 of 50 frames of 1024².
    """
    module = _from_checkout("simulation.lattice")
    return _stoppable(lambda: module.make_lattice(out, size), "movies")


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
    return _stoppable(lambda: module.make_movies(out, kind, size, workers), "movies")


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


simulate = {
    "pt-ceo2": pt_ceo2,
    "au-graphene": au_graphene,
    "haadf-pt": haadf_pt,
    "lattice": lattice,
    "atoms": atoms,
    "movies": movies,
    "held-out": held_out,
    "export-images": export_images,
}


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
    from importlib import import_module
    from importlib.util import find_spec

    if find_spec("simulation") is None:
        raise OSError("simulation is used from a checkout: clone the project and run this there")
    try:
        return import_module(module)
    except ImportError as error:
        raise OSError(f"{error.name or error} is not installed: pip install -e '.[simulation]'") from error
