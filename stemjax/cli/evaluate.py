"""`stemjax evaluate`: score a model on the test structures of a data set, or reproduce a record."""

from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from stemjax.cli.arguments import Count, Flag, named
from stemjax.models.catalogue import refuse_unknown, refuse_untrained

FOLDERLESS = ("glyphs", "scikit-image-photographs")  # what `--data` takes by name; `KINDS` makes it


def evaluate(
    model: Annotated[str, tyro.conf.Positional, named("MODEL")] = "",
    data: Annotated[Path | None, named("FOLDER")] = None,
    sampling: Annotated[float | None, named("ANGSTROM")] = None,
    counts: Annotated[float | None, named("COUNTS")] = None,
    contrast: Literal["white", "black", "intermediate", "any"] | None = None,
    images: Count = 6,
    tune: Flag = False,
    reproduce: Annotated[str, named("RECORD_ID")] = "",
    runs: Annotated[Path, named("FOLDER")] = Path("runs"),
    results: Annotated[Path, named("FOLDER")] = Path("results"),
    train: Flag = False,
) -> int:
    """Score a model or a filter on test images that no training saw.

    It takes every data set that `stemjax simulate` makes, and two that need no folder: --data glyphs and --data
    scikit-image-photographs. A movie denoiser sees all frames of every test movie.

    Args:
        model: Name from `stemjax models`, or a run's folder; a run is scored under the conditions it was trained for.
        data: Folder of a data set made by `stemjax simulate`, or one of the two names; with --reproduce they are
            searched for below `data`.
        sampling: Of pt-ceo2, the pixel size of the test images [Å/px]. Default: 0.0979. Others have their own.
        counts: Of pt-ceo2, mean electrons per pixel of vacuum. Default: 1.8. Others have the noise of the benchmark.
        contrast: Of pt-ceo2, the contrast class of the images. Default: white.
        images: Images per structure, movie or photograph. Default: 6.
        tune: Choose a filter's parameter on the validation structures first.
        reproduce: Instead of a model: do again what a record says, by the first digits of its id, and compare.
        runs: With --reproduce: folder of trained networks. Default: runs.
        results: With --reproduce: folder with the records. Default: results.
        train: With --reproduce: train the network first where it is not there.
    """
    if reproduce:
        from stemjax.cli.evaluate_reproduce import reproduce_record

        if model:
            raise ValueError(f"--reproduce takes its model from the record: leave {model} out")
        return reproduce_record(reproduce, data or Path("data"), runs, results, train)
    if not model or data is None:
        raise ValueError("give a model and --data FOLDER, or --reproduce RECORD_ID; see `stemjax evaluate --help`")
    refuse_unknown(model)
    refuse_untrained(model)
    if not data.exists() and str(data) not in FOLDERLESS:
        raise OSError(f"{data}: missing; make a data set with `stemjax simulate`, or say {' or '.join(FOLDERLESS)}")
    _score(model, data, {"sampling": sampling, "counts": counts}, contrast, images, tune)
    return 0


def _score(model: str, data: Path, given: dict, contrast: str | None, images: int, tune: bool) -> None:
    from dataclasses import replace

    import numpy as np

    from stemjax.apply import evaluate as library
    from stemjax.data import datasets
    from stemjax.data.kinds import KINDS, kind_of
    from stemjax.denoisers.protocol import takes_movies
    from stemjax.metrics import bootstrap
    from stemjax.models.model import load_model
    from stemjax.records.rebuild import denoised_by

    named = KINDS.get(str(data))
    data_set = named.make("cpu") if named and named.make else datasets.open_data_set(data)
    kind = kind_of(data_set)
    chosen = load_model(model)
    denoiser, variables, info = chosen.denoiser, chosen.variables, chosen.info
    usual, selection = _conditions(kind, given, contrast)
    if kind.has_frames and takes_movies(denoiser):
        images = 0  # neighbours in time must be there, too
    imaging = info["imaging"] if Path(model).is_dir() else usual
    if type(imaging) is not type(usual):
        raise ValueError(f"{model} was trained on other images than {data} holds; give a data set like its own")
    if tune:
        validation = library.image_set(data_set, selection, "validation", images, imaging)
        again = lambda d, v, noisy: denoised_by(d, v, replace(validation, noisy=noisy))  # noqa: E731
        denoiser, found = library.tune(denoiser, validation, denoise=again)
        for field, tuning in found.items():
            print(f"{field} = {tuning['chosen']:.4g}, the best on {len(validation)} validation images")
    test = library.image_set(data_set, selection, "test", images, imaging)
    parts = chosen.parts(test.noisy.shape[-1])
    denoised = [denoised_by(denoiser, variables, replace(test, noisy=test.noisy[..., part])) for part in parts]
    rows = library.scores(np.concatenate(denoised, axis=-1), test)
    units = [row["unit"] for row in rows]
    for unit, value in bootstrap.unit_means([row["psnr_db"] for row in rows], units).items():
        print(f"{unit:<24} {value:6.2f} dB")
    for name, form in (("psnr_db", ".2f"), ("ssim", ".3f"), ("nrmse", ".3f")):
        values = np.array([row[name] for row in rows])
        found = bootstrap.interval(values, units)
        spread = f", 95 % interval {found[1]:{form}} to {found[2]:{form}}" if found else ""
        print(f"{name:<24} {library.unit_mean(values, np.array(units)):6{form}}{spread}")
    noise = f"{imaging.counts:g} counts per pixel" if hasattr(imaging, "counts") else f"noise {imaging.noise}"
    print(f"{len(test)} images of {len(set(units))} structures, movies or photographs{_size(data_set, test)}, {noise}")


def _size(data_set, test) -> str:
    """The pixel size, as text, where pixels have one."""
    described = getattr(data_set, "manifest", {}).get("frame", {})
    size = described.get("sampling_angstrom", getattr(test.imaging, "sampling", None))
    return f", {size:g} Å/px" if size else ""


def _conditions(kind: Any, given: dict, contrast: str | None) -> tuple:
    """(imaging, selection of images) that a data set is scored under, unless a run has its own.

    Raises
    ------
    ValueError
        If conditions are given that it has of its own.
    """
    from dataclasses import replace

    from stemjax.data.micrographs import Selection

    given = {name: value for name, value in given.items() if value is not None}
    if isinstance(kind.selection, Selection):
        classes = {None: kind.selection.contrast, "any": ()}.get(contrast, (contrast,))
        return replace(kind.imaging, **given), replace(kind.selection, contrast=classes)
    if given or contrast:
        option = next(iter(given), "contrast")
        raise ValueError(f"{kind.name} has conditions of its own: leave --{option} out")
    return kind.imaging, kind.selection
