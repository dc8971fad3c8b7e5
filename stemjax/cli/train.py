"""`stemjax train`: train a model."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from stemjax.cli.arguments import Count, Flag, Folder, MaybeCount, Settings, named
from stemjax.models.catalogue import CATALOGUE, refuse_filter, refuse_unknown, unknown


def train(
    preset: Annotated[str, named("MODEL")],
    /,
    data: Folder,
    size: Literal["smoke", "cpu", "gpu"] = "cpu",
    set: Settings = (),
    steps: MaybeCount = None,
    start_from: Annotated[str | None, named("MODEL")] = None,
    seed: Count = 0,
    time_limit: Annotated[float | None, named("SECONDS")] = None,
    runs: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("runs"),
    precision: Literal["float32", "bfloat16"] = "float32",
    rematerialise: Flag = False,
    wandb: Flag = False,
    axes: Annotated[str | None, named("LETTERS")] = None,
) -> int:
    """Train a model, or go on with it: the same command continues where the last one stopped.

    Args:
        preset: Name from `stemjax models`.
        data: Folder of a data set made by `stemjax simulate`; or of images, or a movie's file, for methods that learn
            from noisy images alone.
        size: gpu is the paper's network and training, cpu a narrow network in minutes, smoke a test in seconds.
        set: A setting of the model, as often as you like: noise2atom --set flatten=true, autoencoder --set
            network.bottleneck=4; or of the noise and the imaging of a data set: imaging.gradient=1. A wrong one
            lists them all.
        steps: Steps of the training, in place of those of the size; another number is another run.
        start_from: Start with the weights of this model, a name from `stemjax models` or a run's folder, in place of
            random ones. Needs a data set made by `stemjax simulate`.
        seed: Seed of everything random.
        time_limit: Seconds after which to save and stop.
        runs: Folder of the runs; each is a folder named by the hash of its configuration.
        precision: Type that the network computes in; parameters and loss stay in float32.
        rematerialise: Compute the insides of a UNet's blocks again for the gradient: less memory, a third more time.
        wandb: Mirror the log to Weights & Biases; offline without an account.
        axes: What the axes of images of your own mean, e.g. HWC for a folder of RGB images.
    """
    if preset not in CATALOGUE:
        raise unknown(preset)
    refuse_filter(preset)
    if start_from is not None:
        refuse_unknown(start_from)
    if steps is not None and steps < 1:
        raise ValueError("--steps must be at least 1")
    if not data.exists():
        raise OSError(f"{data}: missing; make a data set with `stemjax simulate`, or give images of your own")
    from stemjax.apply.learning import has_data_set, plan_on_data_set, plan_on_movie
    from stemjax.cli.training import train_plan
    from stemjax.denoisers.protocol import ask
    from stemjax.models import presets

    chosen = presets.find_preset(preset)
    common = {"size": size, "settings": set, "steps": steps, "seed": seed}
    if _is_recorded(data) and ask(chosen.denoiser, "self_supervised"):
        of_data_sets = {"precision": precision != "float32", "rematerialise": rematerialise, "start-from": start_from}
        for option, is_given in of_data_sets.items():
            if is_given:
                raise ValueError(f"{data}: --{option} is for data sets: leave it out")
        return _end(train_plan(plan_on_movie(preset, data, axes=axes, **common), runs, wandb, time_limit))
    if axes and has_data_set(data):
        raise ValueError(f"{data}: --axes is for images of your own: leave it out")
    try:
        changed = partial(_with_options, preset, precision=precision, rematerialise=rematerialise)
        plan = plan_on_data_set(preset, data, start_from=start_from, changed=changed, **common)
    except OSError as error:
        if has_data_set(data) or not ask(chosen.denoiser, "self_supervised"):
            raise
        neither = "no finished data set here, and no images; put images into it"
        raise OSError(f"{data}: {neither}, or make a data set with `stemjax simulate`") from error
    return _end(train_plan(plan, runs, wandb, time_limit))


def _end(outcome: Any) -> int:
    """Say how to use what was trained; the exit status."""
    from stemjax.cli.training import STATUS

    if outcome.stopped is None:
        print(f"use it: stemjax denoise IMAGE --model {outcome.folder}")
    return STATUS[outcome.stopped]


def _is_recorded(data: Path) -> bool:
    """Whether it is a file or a folder of images, and no data set, finished or not."""
    from stemjax.apply.learning import has_data_set
    from stemjax.files import folder_images

    return data.is_file() or data.is_dir() and not has_data_set(data) and bool(folder_images(data))


def _with_options(preset: str, denoiser: Any, precision: str, rematerialise: bool) -> Any:
    """The denoiser with those of the options that are not the default.

    Raises
    ------
    ValueError
        If it does not have one of them.
    """
    for name, chosen, owner in (
        ("precision", precision != "float32", denoiser),
        ("rematerialise", rematerialise, denoiser.network),
    ):
        if chosen and not hasattr(owner, name):
            raise ValueError(f"{preset} has no option --{name}: leave it out")
    if precision != "float32":
        denoiser = replace(denoiser, precision=precision)
    if rematerialise:
        denoiser = replace(denoiser, network=denoiser.network.clone(rematerialise=True))
    return denoiser
