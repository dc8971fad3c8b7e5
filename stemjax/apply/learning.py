"""From a movie of one's own, or a data set, to a model: which training that is, and the training itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stemjax import files
from stemjax.config import with_settings
from stemjax.data import datasets
from stemjax.data.kinds import KINDS, kind_of
from stemjax.data.recordings import RecordedImaging, Recording, check_recording, map_recording, open_recording
from stemjax.denoisers.protocol import ask, is_trainable
from stemjax.models import presets
from stemjax.models.model import Model, load_model
from stemjax.training import checkpoint
from stemjax.training.progress import Report
from stemjax.training.recipes import holds_out_pixels, learns_from_clips, recorded_run
from stemjax.training.train import Run, load_run
from stemjax.training.train import train as train_run

SELF_SUPERVISED = "noise2void"  # what learns from a movie unless told otherwise
SINGLE = "noise2void-single"
SIZES = ("smoke", "cpu", "gpu")
IMAGED = "imaging."  # beginning of a setting of the data's imaging


@dataclass(frozen=True)
class Plan:
    """A training that has not begun.

    Parameters
    ----------
    run : Run
    data : DataSet or Recording
        What it learns from.
    initial : dict or None
        Variables to begin with, in place of random ones.
    about : str
        What it learns from and what is held out, in words.
    """

    run: Run
    data: Any
    initial: dict | None = None
    about: str = ""


def train(
    model: Any = SELF_SUPERVISED,
    data: Any = None,
    *,
    size: str = "cpu",
    settings: Sequence[str] | dict = (),
    steps: int | None = None,
    start_from: Any = None,
    seed: int = 0,
    time_limit: float | None = None,
    runs: str | Path = "runs",
    axes: str | None = None,
    sampling: float | None = None,
    log: Callable[[dict], None] | None = None,
) -> Model:
    """Train a model on a movie of one's own, or on a data set; the same call goes on where the last one stopped.

    Parameters
    ----------
    model : str or denoiser
        A name from `stemjax.list_models`, or a trainable denoiser of one's own. By default Noise2Void.
    data : Image, array, path or DataSet
        A movie or an image to learn from, as `stemjax.read` gives it, an array [H, W] or [T, H, W] or with `axes`, a
        file or a folder of images; or a data set of `stemjax simulate`, or its folder.
    size : {"cpu", "gpu", "smoke"}
        cpu is a narrow network in minutes, gpu the paper's network and training, smoke a test in seconds.
    settings : sequence of str, or dict
        Of the model, such as {"network.depth": 3}; of the imaging of a data set as {"imaging.counts": 1}.
    steps : int, optional
        Steps, in place of those of the size.
    start_from : str, path or Model, optional
        A model whose weights it begins with.
    time_limit : float, optional
        Seconds after which to save and stop.
    runs : path
        Folder of the runs; each is a folder named by the hash of its configuration.
    log : callable, optional
        Called with every event, a dict of ``step``, ``loss``, ``time_s`` and at a validation ``validation_loss`` or
        ``validation_psnr_db``. By default progress is shown on stderr.

    Returns
    -------
    Model
        The best network so far, whose name is the run's folder.

    Raises
    ------
    ValueError
        If the model cannot learn from these data.
    OSError
        If a file is not there or not sound.
    KeyboardInterrupt
        After Ctrl-C; the run can go on.
    """
    if size not in SIZES:
        raise ValueError(f"size {size!r}: choose one of {', '.join(SIZES)}")
    if steps is not None and steps < 1:
        raise ValueError("--steps must be at least 1")
    if data is None and not isinstance(model, str) or isinstance(data, str) and data in presets.PRESETS:
        raise ValueError("the model comes first, then what it learns from: stemjax.train('noise2void', movie)")
    options = {"size": size, "settings": _listed(settings), "steps": steps, "seed": seed, "start_from": start_from}
    if isinstance(data, datasets.DataSet) or isinstance(data, str | Path) and has_data_set(Path(data)):
        plan = plan_on_data_set(model, data, **options)
    else:
        plan = plan_on_movie(model, data, axes=axes, sampling=sampling, **options)
    options = {"initial": plan.initial, "time_limit": time_limit}
    if log is not None:
        outcome = train_run(plan.run, plan.data, runs, log=log, **options)
    else:
        with Report(plan.run.steps) as report:
            outcome = train_run(plan.run, plan.data, runs, log=report, **options)
    if outcome.stopped == "SIGINT":
        raise KeyboardInterrupt(f"stopped at step {outcome.step} of {plan.run.steps}; the same call goes on there")
    return load_model(outcome.folder)


def _listed(settings: Sequence[str] | dict) -> tuple[str, ...]:
    if isinstance(settings, dict):
        return tuple(f"{name}={value}" for name, value in settings.items())
    return (settings,) if isinstance(settings, str) else tuple(settings)


def has_data_set(folder: Path) -> bool:
    """Whether the folder holds a data set, finished or not."""
    return any((folder / name).exists() for name in ("manifest.json", "markers"))


# ---------------------------------------------------------------------------------------------------- a movie
def plan_on_movie(
    model: Any,
    source: Any,
    *,
    size: str = "cpu",
    settings: Sequence[str] = (),
    steps: int | None = None,
    seed: int = 0,
    start_from: Any = None,
    axes: str | None = None,
    sampling: float | None = None,
    fill_nonfinite: bool | None = None,
) -> Plan:
    """The training of a self-supervised model on the very movie that it is to denoise.

    Raises
    ------
    ValueError
        If the model needs clean images, or another number of channels.
    """
    movie = _recording(source, axes, fill_nonfinite)
    movie = replace(movie, sampling=sampling or movie.sampling)
    changes = {"steps": steps} if steps else {}
    if start_from is not None:
        denoiser, initial, more = _old(movie, start_from)
        name = denoiser.name
        changes |= more
    else:
        (name, denoiser), initial = _new(movie, model, size, settings), None
    run = recorded_run(denoiser, size, movie, seed, **changes)
    chosen = run.selection.images(movie, "train")
    held = f"{len(chosen)} of {len(movie.movie)} frames"
    if chosen.corner is not None:
        held = f"{len(chosen)} pieces of {chosen.side} px out of {len(movie.movie)} frames"
    elif len(movie.movie) == 1 and not learns_from_clips(denoiser):
        held = "a tenth of its pixels held out" if holds_out_pixels(denoiser) else "by which it is judged, too"
    return Plan(run, movie, initial, f"{name} on {movie.path}, {held},")


def _recording(source: Any, axes: str | None, fill_nonfinite: bool | None) -> Recording:
    if source is None:
        raise ValueError("nothing to learn from: give a movie, as stemjax.read gives it, or a data set's folder")
    if isinstance(source, str | Path) and not Path(source).exists():
        raise OSError(f"{source}: no such file or folder")
    if isinstance(source, str | Path):
        return open_recording(source, axes, fill_nonfinite)
    return check_recording(map_recording(files.as_image(source, axes), fill_nonfinite))


def _new(movie: Recording, model: Any, size: str, settings: Sequence[str]) -> tuple[str, Any]:
    """Name and denoiser, for the movie's channels together; Noise2Void on one channel is that for one."""
    channels = movie.movie.shape[-1]
    if not isinstance(model, str):
        denoiser, name = with_settings(model, settings), type(model).__name__
    else:
        name = SINGLE if channels == 1 and model == SELF_SUPERVISED else model
        denoiser = with_settings(presets.find_preset(name).at(size), settings)
    if not is_trainable(denoiser):
        raise ValueError(f"{name} is a filter, with nothing to train: use it as it is, or train {SELF_SUPERVISED}")
    if not ask(denoiser, "self_supervised"):
        raise ValueError(f"{name} does not learn from noisy images alone: train {SELF_SUPERVISED}")
    if name == SINGLE and channels > 1:
        raise ValueError(f"{movie.path}: {channels} channels, but {name} is for one: train {SELF_SUPERVISED}")
    if learns_from_clips(denoiser):
        return name, denoiser
    return name, replace(denoiser, network=denoiser.network.clone(channels_out=channels))


def _old(movie: Recording, start_from: Any) -> tuple:
    """Denoiser, weights and changes to the run, of a training that goes on with another one's weights."""
    folder = start_from.name if isinstance(start_from, Model) else start_from
    if str(folder) in presets.PRESETS:
        raise ValueError(f"{folder} is no run: a training on a movie starts from the folder of another one")
    run, variables, info = load_run(folder)
    if not ask(run.denoiser, "self_supervised"):
        raise ValueError(f"{start_from} does not learn from noisy images alone: fine-tune a run of Noise2Void")
    if learns_from_clips(run.denoiser):
        return run.denoiser, variables, {"initial": info["digest"]}
    channels, count = run.imaging.channels, movie.movie.shape[-1]
    if len(channels) != count:
        known = f"{len(channels)} ({', '.join(channels)})"
        raise ValueError(
            f"{movie.path}: {count} channel{'s' * (count > 1)}, but {start_from} is for {known}: give all of them in "
            "one file, with --axes if need be, or use --train"
        )
    imaging = RecordedImaging(channels, movie.sampling)
    return run.denoiser, variables, {"initial": info["digest"], "imaging": imaging}


# ---------------------------------------------------------------------------------------------------- a data set
def plan_on_data_set(
    model: str,
    data: Any,
    *,
    size: str = "cpu",
    settings: Sequence[str] = (),
    steps: int | None = None,
    seed: int = 0,
    start_from: Any = None,
    changed: Callable[[Any], Any] = lambda denoiser: denoiser,
) -> Plan:
    """The training of a preset on a data set of the kind that it learns from, or of one that is recorded alike.

    Parameters
    ----------
    changed : callable
        Last changes to the denoiser: its precision, say.

    Raises
    ------
    ValueError
        If it does not learn from such data, or has another network than the model it is to start from.
    """
    chosen = presets.find_preset(model)
    if not is_trainable(chosen.denoiser):
        raise ValueError(f"{model} is a filter, with nothing to train: use it as it is, or train another model")
    data = data if isinstance(data, datasets.DataSet) else datasets.open_data_set(data)
    imaging = [setting.removeprefix(IMAGED) for setting in settings if setting.startswith(IMAGED)]
    of_model = [setting for setting in settings if not setting.startswith(IMAGED)]
    denoiser = changed(with_settings(chosen.at(size), of_model))
    run = chosen.recipe(denoiser, size, data.recipe_hash, seed, **({"steps": steps} if steps else {}))
    kind, home = kind_of(data), KINDS[presets.LEARNS_FROM[chosen.recipe]]
    if kind is not home:
        if not kind.fits(run):
            makes = f"`stemjax simulate {home.simulate}` makes data"
            raise ValueError(f"{data.folder}: {model} does not learn from {kind.name}; {makes}")
        run = kind.of_run(run)
    run = replace(run, imaging=with_settings(run.imaging, imaging))
    if start_from is None:
        return Plan(run, data, None, f"{model} ({size})")
    first = load_model(start_from)
    if ask(first.denoiser, "network") != run.denoiser.network:
        raise ValueError(f"--start-from {first.name}: its network is another one than that of the model to be trained")
    return Plan(replace(run, initial=checkpoint.digest(first.variables)), data, first.variables, f"{model} ({size})")
