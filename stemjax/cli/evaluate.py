"""`stemjax evaluate`: score a model on the test structures of a data set, or reproduce a record."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from stemjax.cli.arguments import Count, Flag, named


def evaluate(
    model: Annotated[str, tyro.conf.Positional, named("MODEL")] = "",
    data: Annotated[Path | None, named("FOLDER")] = None,
    sampling: Annotated[float, named("ANGSTROM")] = 0.0979,
    counts: Annotated[float, named("COUNTS")] = 1.8,
    contrast: Literal["white", "black", "intermediate", "any"] = "white",
    images: Count = 6,
    tune: Flag = False,
    reproduce: Annotated[str, named("RECORD_ID")] = "",
    runs: Annotated[Path, named("FOLDER")] = Path("runs"),
    results: Annotated[Path, named("FOLDER")] = Path("results"),
    train: Flag = False,
) -> int:
    """Score a model, or a filter, on simulated test images of structures, or movies, that no training saw.

    It takes every data set that `stemjax simulate` makes: pt-ceo2 (also --surface), au-graphene, haadf-pt, lattice and
    the HRTEM movies (pt, au, co, sbd). A movie denoiser sees all frames of every test movie.

    Args:
        model: Name from `stemjax models`, or a run's folder; a run is scored under the conditions it was trained for.
        data: Folder of a data set made by `stemjax simulate`; with --reproduce found below `data`.
        sampling: Of pt-ceo2, the pixel size of the test images [Å/px]. Default: 0.0979. Movies have their own.
        counts: Of pt-ceo2, mean electrons per pixel of vacuum. Default: 1.8. Movies have the noise of the benchmark.
        contrast: Of pt-ceo2, the contrast class of the images.
        images: Images per structure or movie. Default: 6.
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
    _score(model, data, sampling, counts, contrast, images, tune)
    return 0


def _score(model: str, data: Path, sampling: float, counts: float, contrast: str, images: int, tune: bool) -> None:
    from dataclasses import replace

    import numpy as np

    from stemjax.apply import evaluate as library
    from stemjax.cli.denoise_file import Model
    from stemjax.data import datasets
    from stemjax.metrics import bootstrap
    from stemjax.models import presets
    from stemjax.records.rebuild import denoised_by

    data_set = datasets.open_data_set(data)
    denoiser, variables, info = presets.load_model(model)
    usual, selection = _conditions(data_set, sampling, counts, contrast)
    if hasattr(selection, "session") and hasattr(denoiser, "frames"):
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
    parts = Model(model, denoiser, variables, info).parts(test.noisy.shape[-1])
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
    size = data_set.manifest["frame"]["sampling_angstrom"] if hasattr(selection, "session") else imaging.sampling
    print(f"{len(test)} images of {len(set(units))} structures or movies, {size:g} Å/px, {noise}")


def _conditions(data_set, sampling: float, counts: float, contrast: str) -> tuple:
    """(imaging, selection of images) that a data set is scored under, unless a run has its own.

    Raises
    ------
    ValueError
        If it is of no kind that is known.
    """
    from stemjax.data import batches, datasets, haadf, hrtem_movies, movies, synthetic

    kind = data_set.name.removeprefix("movies-")
    if kind != data_set.name and kind in hrtem_movies.IMAGING:
        return hrtem_movies.IMAGING[kind], movies.Frames(session=())
    if data_set.band is not None:
        chosen = () if contrast == "any" else (contrast,)
        return batches.Imaging(sampling=sampling, counts=counts), datasets.Selection(contrast=chosen)
    known = {
        "au-graphene": (movies.GrapheneImaging(), movies.Frames()),
        "haadf-pt": (haadf.HaadfImaging(), movies.Frames(session=())),
        "lattice": (synthetic.LatticeImaging(), movies.Frames(session=())),
    }
    if kind not in known:
        raise ValueError(f"{data_set.folder}: a data set {kind}; see `stemjax evaluate --help` for those it takes")
    return known[kind]
