"""`stemjax denoise`: denoise image files."""

import logging
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from stemjax.cli import fail
from stemjax.cli.arguments import Count, Files, Flag, Folder, MaybeCount, Settings, named
from stemjax.models.catalogue import CATALOGUE, refuse_filter, refuse_unknown, refuse_untrained


def denoise(
    paths: Files,
    /,
    model: Annotated[str | None, named("NAME|RUN")] = None,
    set: Settings = (),
    train: Flag = False,
    fine_tune: Annotated[Path | None, named("RUN")] = None,
    size: Literal["smoke", "cpu", "gpu"] = "cpu",
    steps: MaybeCount = None,
    seed: Count = 0,
    time_limit: Annotated[float | None, named("SECONDS")] = None,
    runs: Folder = Path("runs"),
    out: Annotated[Path | None, named("FOLDER|FILE")] = None,
    format: Literal["tif", "npy"] = "tif",
    png: Flag = False,
    overwrite: Flag = False,
    axes: Annotated[str | None, named("LETTERS")] = None,
    sampling: Annotated[float | None, named("Å")] = None,
    bin: Count = 1,
    register: Flag = False,
    reach: Annotated[float | None, named("PX")] = None,
    fill_nonfinite: Flag = False,
    dtype: Literal["float32", "uint16", "uint8"] = "float32",
    tile: MaybeCount = None,
    blend: Literal["halo", "average"] = "halo",
    watch: Annotated[str | None, named("FOLDER|-")] = None,
    lookahead: Flag = False,
    until: Count = 0,
    idle: Annotated[float | None, named("SECONDS")] = None,
) -> int:
    """Denoise images and movies. X.tif becomes X_denoised.tif, with X_denoised.json that says how it was made.

    Reads .npy, TIFF, png, jpg and bmp, and with the extra `files` dm3, dm4, emd, ser, mrc and hspy. The images of a
    folder are taken as one movie, in the order of their names. A file that fails does not stop the others. The frames
    of a movie are read and written one by one, or a few at a time where the model looks at their neighbours, so it may
    be larger than the memory.

    With --watch, files that come into a folder are denoised as they come: frames, or short movies, that together are
    one movie, in the order of their names. A movie denoiser then uses earlier frames alone; see --lookahead.
    Ctrl-C ends it, with the frames per second and the latency.

    Args:
        paths: Image files, or folders of images, as many as you like.
        model: Name from `stemjax models` that needs no training, or folder of a run. Default: the network
            that ships with stemjax.
        set: A setting of the model, as often as you like: --model gaussian --set sigma=2. A wrong one
            lists them all.
        train: Train the model, noise2void by default, on the movie itself first; it needs no clean images. The run's
            folder is kept, for `--model` and `--fine-tune`.
        fine_tune: Train on the movie from the weights of this run.
        size: Size of the network and its training: gpu is the paper's, cpu takes minutes, smoke is a test.
        steps: Largest number of training steps; training ends earlier when the frames held out get no better.
        seed: Seed of the training.
        time_limit: Seconds after which to save the training and stop; the same command goes on.
        runs: Folder of the runs that are trained. Default: runs.
        out: Folder for the results, or, for one input, a file. Default: beside each input.
        format: Format of the results.
        png: Also write a picture, noisy and denoised side by side.
        overwrite: Replace results that are there already; an input is never replaced.
        axes: What the file's axes mean: T frames, H rows, W columns, C channels, e.g. THW.
        sampling: Pixel size in Å, if the file does not say it.
        bin: Sum blocks of N x N pixels before denoising.
        register: Measure the drift of a movie and put its frames in place first, by whole pixels: X_registered.tif, and
            X_registered.csv with the path. One that cannot be registered is refused.
        reach: Largest drift in pixels that --register looks for. For a frame full of a lattice, less than half of its
            spacing. Default: a quarter of the frame.
        fill_nonfinite: Fill in NaN and infinite pixels, denoise, and set them to NaN again.
        dtype: Type of the numbers in the result; integers are rounded and clipped.
        tile: Side of the tiles for images too large for the memory. Default: as large as fits.
        blend: Keep the middle of tiles that overlap enough, or average tiles as the papers do.
        watch: Denoise the files of this folder that have no result yet, and those that come; - reads frames from
            standard input, .npy arrays one after the other.
        lookahead: Denoise each frame only when the later frames that the model uses have come (1 for wcvd, 2 for udvd).
            Without it each result comes at once, from earlier frames alone, and has more noise.
        until: End after so many frames. Default: never.
        idle: End after so many seconds without a new frame. Default: never.
    """
    learns = train or fine_tune is not None
    if not paths and watch is None:
        raise ValueError("no file given: stemjax denoise FILE...")
    if watch is not None and (paths or learns):
        raise ValueError("--watch takes no files and no training: train first, and give the run with --model")
    if watch is None and (lookahead, until, idle) != (False, 0, None):
        raise ValueError("--lookahead, --until and --idle belong to --watch FOLDER")
    if bin < 1 or (sampling is not None and not 0 < sampling < 1e6) or (tile is not None and tile < 1):
        raise ValueError("--bin and --tile must be at least 1, and --sampling a pixel size in Å")
    if steps is not None and steps < 1:
        raise ValueError("--steps must be at least 1")
    if not learns and (steps, time_limit) != (None, None):
        raise ValueError("--steps and --time-limit belong to a training: add --train or --fine-tune RUN")
    if register and watch is not None or reach is not None and not register:
        raise ValueError("--reach belongs to --register, which is for whole movies and not for --watch")
    if learns and bin > 1:
        raise ValueError("--bin does not go with training: bin the movie with another program, and train on that")
    if fine_tune is not None and (model or train):
        raise ValueError("--fine-tune RUN says what to train: leave out --model and --train")
    if fine_tune is not None and set:
        raise ValueError("--fine-tune RUN goes on with the settings of that run: leave out --set")
    absent = [path for path in paths if not path.exists()]
    if mistaken := [path for path in absent if str(path) in CATALOGUE]:
        raise ValueError(f"{mistaken[0]} is a model, not a file: say --model {mistaken[0]}")
    if model is not None:
        refuse_unknown(model)
        (refuse_filter if learns else refuse_untrained)(model)
    if fine_tune is not None and not fine_tune.is_dir():
        raise OSError(f"{fine_tune}: not a run; give a folder made by `stemjax train`")
    if watch not in (None, "-") and not Path(watch).is_dir():
        raise NotADirectoryError(f"--watch {watch}: not a folder; give one, or - for frames from standard input")
    if absent and len(absent) == len(paths):
        reasons = [f"{path}: no such file" for path in absent]
        for reason in reasons:
            fail(reason)
        return _ended(reasons, len(paths))

    # What was asked for can be done, as far as one sees: now what is heavy.
    from stemjax.apply.job import Job
    from stemjax.apply.learning import SELF_SUPERVISED, plan_on_movie
    from stemjax.cli.denoise_movie import put_in_place, report_quality
    from stemjax.cli.training import STATUS, train_plan
    from stemjax.models.model import load_model

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it finds wrong is said once, in our own line
    command = shlex.join(["stemjax", *sys.argv[1:]])
    job = Job(axes, sampling, bin, fill_nonfinite, dtype, tile, blend, png, overwrite, command=command, warn=_warn)
    if not learns:
        chosen = load_model(model).with_settings(set)
    wanted = {"size": size, "settings": set, "steps": steps, "seed": seed, "start_from": fine_tune}
    wanted |= {"sampling": sampling, "fill_nonfinite": fill_nonfinite}
    if watch is not None:
        from stemjax.cli.denoise_watch import watch_and_denoise

        job = replace(job, window="lookahead" if lookahead else "causal")
        return watch_and_denoise(watch, out, format, job, chosen, lookahead, until, idle)
    failed = []
    for path in paths:
        try:
            target = _target(path, out, format, len(paths))
            job = replace(job, axes=axes)
            job.refuse_losses(path, target)
            if register:
                path = put_in_place(path, target, axes, reach, overwrite)
                job = replace(job, axes=None)
            if learns:
                plan = plan_on_movie(model or SELF_SUPERVISED, path, axes=job.axes, **wanted)
                outcome = train_plan(plan, runs, time_limit=time_limit)
                if outcome.stopped:
                    return STATUS[outcome.stopped]
                chosen = load_model(outcome.folder)
            job.run(path, target, chosen)
            print(target, flush=True)
            report_quality(path, target, chosen, job.axes, bin)
            if learns:
                print(f"model: {outcome.folder} (stemjax denoise MOVIE --model {outcome.folder})")
        except (OSError, ValueError, MemoryError) as error:
            reason = str(error) if str(error).startswith(str(path)) else f"{path}: {_reason(error)}"
            failed.append(reason)
            fail(reason, error)
    return _ended(failed, len(paths))


def _ended(failed: list[str], count: int) -> int:
    """Say once more which files failed, where there are several; the exit status."""
    if failed and count > 1:
        print(f"\n{len(failed)} of {count} files failed:", file=sys.stderr)
        for reason in failed:
            print(f"  {reason}", file=sys.stderr)
    return 2 if failed else 0


def _warn(about: object, text: str) -> None:
    print(f"warning: {about}: {text}", file=sys.stderr)


def _target(path: Path, out: Path | None, format: str, count: int) -> Path:
    """Where the result of `path` goes."""
    path = path.resolve() if path.is_dir() else path  # what "." is called
    name = f"{path.stem}_denoised.{format}"
    if out is None:
        return path.with_name(name)
    if out.suffix.lower() in (".tif", ".tiff", ".npy") and not out.is_dir():
        if count > 1:
            raise ValueError(f"--out {out} is one file, but there are {count} inputs: give a folder")
        return out
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out} is a file: give a folder, or a name that ends in .tif or .npy")
    return out / name


def _reason(error: Exception) -> str:
    strerror = getattr(error, "strerror", None)
    return f"{error.filename}: {strerror}" if strerror and error.filename else strerror or str(error) or "out of memory"
