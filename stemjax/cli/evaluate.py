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

    Args:
        model: Name from `stemjax models`, or a run's folder; a run is scored under the conditions it was trained for.
        data: Folder of a data set made by `stemjax simulate`; with --reproduce found below `data`.
        sampling: Pixel size of the test images [Å/px]. Default: 0.0979.
        counts: Mean electrons per pixel of vacuum. Default: 1.8. (Movies of gold on graphene: noise of 7 dB.)
        contrast: Contrast class of the images.
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
    import numpy as np

    from stemjax import batches, datasets, movies, presets
    from stemjax import evaluate as library
    from stemjax.metrics import bootstrap

    data_set = datasets.open_data_set(data)
    denoiser, variables, info = presets.load_model(model)
    if data_set.band is None:
        usual, selection = movies.GrapheneImaging(), movies.Frames()
    else:
        usual = batches.Imaging(sampling=sampling, counts=counts)
        selection = datasets.Selection(contrast=() if contrast == "any" else (contrast,))
    imaging = info["imaging"] if Path(model).is_dir() else usual
    if type(imaging) is not type(usual):
        raise ValueError(f"{model} was trained on other images than {data} holds; give a data set like its own")
    if tune:
        validation = library.image_set(data_set, selection, "validation", images, imaging)
        denoiser, found = library.tune(denoiser, validation)
        for field, tuning in found.items():
            print(f"{field} = {tuning['chosen']:.4g}, the best on {len(validation)} validation images")
    test = library.image_set(data_set, selection, "test", images, imaging)
    rows = library.scores(library.denoise_all(denoiser, variables, test.noisy), test)
    units = [row["unit"] for row in rows]
    for unit, value in bootstrap.unit_means([row["psnr_db"] for row in rows], units).items():
        print(f"{unit:<24} {value:6.2f} dB")
    for name, form in (("psnr_db", ".2f"), ("ssim", ".3f"), ("nrmse", ".3f")):
        values = np.array([row[name] for row in rows])
        found = bootstrap.interval(values, units)
        spread = f", 95 % interval {found[1]:{form}} to {found[2]:{form}}" if found else ""
        print(f"{name:<24} {library.unit_mean(values, np.array(units)):6{form}}{spread}")
    noise = f"{imaging.counts:g} counts per pixel" if hasattr(imaging, "counts") else f"noise {imaging.noise}"
    print(f"{len(test)} images of {len(set(units))} structures or movies, {imaging.sampling:g} Å/px, {noise}")
