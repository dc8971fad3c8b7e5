"""The card of a model: what it is, how it was trained, and what the records say of it."""

import math
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from stemjax.denoisers.protocol import ask, is_trainable
from stemjax.training.progress import quality

PUBLISHED = {  # preset -> row of the SBD paper's Table 3.1
    "sbd-dncnn": "DnCNN",
    "sbd-small-unet": "Small UNet (DURR)",
    "sbd-unet-4x32": "UNet, 4 scales, 32 base channels",
    "sbd-unet-4x64": "UNet, 4 scales, 64 base channels",
    "sbd-unet-6x128": "UNet, 6 scales, 128 base channels",
    "sbd-unet-small": "UNet, 4 scales, 32 base channels",
}
SIZES = {"gpu": ", size gpu (the paper's)", "cpu": ", sizes cpu and smoke"}


def model_card(name: str, results: Path) -> dict[str, list[str]]:
    """Heading -> lines of the card of a preset or of a run's folder.

    Raises
    ------
    ValueError
        If there is no such preset, or the records were altered.
    OSError
        If the folder holds no sound run.
    """
    from stemjax.models import presets
    from stemjax.training.train import load_run

    if name not in presets.PRESETS and Path(name).exists():
        run, _, info = load_run(name)
        preset = next(
            (key for key, value in presets.PRESETS.items() if run.denoiser in (value.denoiser, value.cpu)), ""
        )
        card = {name: [f"Run {run.hash}" + f" of {preset}" * bool(preset)]}
        card |= _architecture(run.denoiser, preset)
        card["Training"] = [
            *_training(run),
            f"Best at step {info['step']}: {quality(info)}",
        ]
        card["Scores"] = _scores(results, lambda record: record["run"] == run.hash)
        return card | _terms(presets.PRESETS[preset].paper if preset else "-", "your own")
    preset = presets.find_preset(name)
    card = {name: [preset.about]}
    if not is_trainable(preset.denoiser):
        card["Settings"] = [f"{key} = {value}" for key, value in asdict(preset.denoiser).items()] or ["none"]
        card["Training"] = ["none needed; experiments tune it on the validation structures"]
        kind = _config(preset.denoiser)["class"]
        card["Scores"] = _scores(results, lambda record: record["denoiser"].get("class") == kind, with_settings=True)
        return card | _terms(preset.paper, package=ask(preset.denoiser, "requires"))
    versions = {"gpu": preset.denoiser} | ({"cpu": preset.cpu} if preset.cpu else {})
    for size, denoiser in versions.items():
        card |= _architecture(denoiser, name, SIZES[size] if len(versions) > 1 else "")
    card["Training"] = list(_preset_training(name))
    configs, shipped = [_config(denoiser) for denoiser in versions.values()], _shipped(name).get("run")
    # Weights that come with stemjax have the scores of their own run alone.
    card["Scores"] = _scores(results, lambda r: r["run"] == shipped if shipped else r["denoiser"] in configs)
    return card | _terms(preset.paper)


def _config(denoiser) -> dict:
    from stemjax.config import to_config

    return to_config(denoiser)


# ---------------------------------------------------------------------------------------------------- architecture
def _architecture(denoiser, preset: str, size: str = "") -> dict[str, list[str]]:
    """Headings, which end with a `size`, and lines on a denoiser's network."""
    from stemjax.metrics.field_of_view import field_of_view
    from stemjax.networks.weights import parameter_count
    from stemjax.tables.published import PAPERS

    network = denoiser.network
    paper = {row["model"]: row for row in PAPERS["sbd"]["table_3_1_tem"]}.get(PUBLISHED.get(preset))
    settings = _config(network) | _config(denoiser)
    text = ", ".join(f"{key} {value}" for key, value in settings.items() if key not in ("class", "network"))
    own, counted = parameter_count(network), parameter_count(network, published=True)
    parameters = f"{own:,}" + f" ({counted:,} with the unused offsets that the paper counts)" * (counted != own)
    reach = f"{field_of_view(network.geometry())} px by its layers"
    lines = [
        f"{type(network).__name__}" + f" ({text})" * bool(text),
        f"Parameters: {parameters}" + (f"; the paper's has {paper['parameters']}" if paper else ""),
        f"Field of view: {reach}" + (f"; published {paper['fov']} px" if paper else ""),
    ]
    heading = f"Layers{size}: kernel, channels in > out, parameters"
    return {f"Network{size}": lines, heading: list(_layers(network))}


def _layers(network) -> Iterator[str]:
    """One line per block, or per run of blocks that are alike: its convolutions and its parameters."""
    import jax
    import jax.numpy as jnp
    from flax.traverse_util import flatten_dict

    from stemjax.networks.weights import sample

    blocks: list[tuple[str, dict]] = []

    shape = sample(network).shape

    def init(key):
        params = network.init(key, jnp.zeros(shape))["params"]
        for name, block in params.items():  # in the order of computation
            arrays = {"/".join(path): array.shape for path, array in flatten_dict({"": block}).items()}
            if any(path.endswith("kernel") for path in arrays) or not blocks:
                blocks.append((name, arrays))
            else:  # a normalisation belongs to the convolution before it
                blocks[-1][1].update({f"{name}/{path}": shape for path, shape in arrays.items()})

    jax.eval_shape(init, jax.random.key(0))
    described = [(name, _convolutions(arrays), sum(map(math.prod, arrays.values()))) for name, arrays in blocks]
    for (convolutions, count), group in groupby(described, key=lambda row: row[1:]):
        names = [name for name, *_ in group]
        label = names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]}"
        times = "" if len(names) == 1 else f", {len(names)} times"
        yield f"{label:<44} {convolutions + times:<34} {len(names) * count:>11,}"


def _convolutions(arrays: dict[str, tuple[int, ...]]) -> str:
    """Kernels and channels of the convolutions of a block."""
    kernels = [shape for path, shape in arrays.items() if path.endswith("kernel")]
    return ", ".join(f"{'x'.join(map(str, sides))} {before}>{after}" for *sides, before, after in kernels)


# ---------------------------------------------------------------------------------------------------- training
def _training(run) -> Iterator[str]:
    yield f"Data set: recipe {run.recipe_hash}"
    yield from _conditions(run.imaging, run.crops, run.steps)
    yield f"Adam, learning rate {run.optimiser.learning_rate:g}, {run.optimiser.schedule} schedule; seed {run.seed}"
    if run.initial:
        yield f"Began with the weights of another training (digest {run.initial[:16]})"


def _conditions(imaging, crops, steps: int) -> Iterator[str]:
    if hasattr(imaging, "dose"):
        yield f"Pixels of {imaging.sampling:g} Å, {imaging.counts:g} electrons each ({imaging.dose():.0f} e/Å²)"
    elif getattr(imaging, "sampling", None):
        yield f"Pixels of {imaging.sampling:g} Å"
    if len(imaging.channels) > 1:
        yield f"Channels {' and '.join(imaging.channels)}, denoised together"
    ranges = (("pixels", getattr(crops, "scale", (1, 1))), ("doses", getattr(crops, "counts_range", (1, 1))))
    varied = [f"{what} {low:g} to {high:g} times these" for what, (low, high) in ranges if low != high]
    yield "; ".join([f"{steps * crops.count:,} crops of {crops.size} px in {steps:,} steps", *varied])


def _preset_training(name: str) -> Iterator[str]:
    """How a preset that ships with weights was trained; how the others would be."""
    from stemjax.config import from_config
    from stemjax.models import presets

    if info := _shipped(name):
        yield f"Weights come with stemjax: run {info['run']}, data set {info['data_set']['name']}"
        yield from _training(from_config(info["training"]))
        yield f"Best at step {info['step']}: {quality(info)}"
        return
    yield f"No weights come with it; train it: stemjax train {name} --data FOLDER"
    for size in ("cpu", "gpu"):
        run = presets.find_preset(name).run(size, recipe_hash="")
        yield f"Size {size}: " + "; ".join(_conditions(run.imaging, run.crops, run.steps))


def _shipped(name: str) -> dict:
    """What is known of the weights that come with stemjax under that name; empty where there are none."""
    import json

    from stemjax.models import presets

    path = presets.WEIGHTS / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else {}


# ---------------------------------------------------------------------------------------------------- records
def _scores(results: Path, is_of_model, with_settings: bool = False) -> list[str]:
    """One line per record of the model: experiment, size, row of the table, seed, conditions, settings, scores."""
    from stemjax import records

    folder = Path(results) / "records"
    found = [record for record in records.current(records.load(folder)) if is_of_model(record)]
    return [_score_line(record, with_settings) for record in found] or [f"no record of it in {folder}"]


def _score_line(record: dict, with_settings: bool) -> str:
    scores, interval = record["scores"], record["interval"] or {}
    place = [record["experiment"], f"size {record['size']}", record["method"]]
    place += [] if record["seed"] is None else [f"seed {record['seed']}"]
    place += [f"{key} {value}" for key, value in record.get("conditions", {}).items()]
    if with_settings:
        place += [f"{key} = {_short(value)}" for key, value in record["denoiser"].items() if key != "class"]
    figures = []
    if "psnr_db" in scores:
        low, high = interval.get("psnr_db", ("", ""))
        spread = f" [{low:.2f}, {high:.2f}]" if low != "" else ""
        figures = [f"PSNR {scores['psnr_db']:.2f}{spread} dB", f"SSIM {scores.get('ssim', float('nan')):.3f}"]
    others = {key: value for key, value in scores.items() if key not in ("psnr_db", "ssim", "nrmse")}
    # Those of the surface first: they are what the experiments on atoms are about.
    chosen = sorted(others.items(), key=lambda item: "surface" not in item[0])[:4]
    figures += [f"{key} {value:.3g}" for key, value in chosen]
    return f"{', '.join(place)}: {', '.join(figures)}"


def _short(value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _terms(paper: str, weights: str = "BSD-3-Clause", package: str = "") -> dict[str, list[str]]:
    cite = f"Cite {paper}, and stemjax as CITATION.cff says" if paper != "-" else "Cite stemjax as CITATION.cff says"
    needs = [f"Needs the package {package}, which has a licence of its own (see README)"] if package else []
    return {"Licence and citation": [f"Code BSD-3-Clause; weights {weights}", *needs, cite]}
