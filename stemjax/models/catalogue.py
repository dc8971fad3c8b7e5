"""The list of models, without their code: what `stemjax models` shows, and which names there are, in a moment.

`catalogue.json` holds what else a preset would have to be imported, or its network be built, to be asked for. After a
change of the presets ``python -m stemjax.models.catalogue`` writes it again; a test compares the two.
"""

import json
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
FILE = Path(__file__).with_name("catalogue.json")


@dataclass(frozen=True)
class Entry:
    """A preset in the list.

    Parameters
    ----------
    about, paper : str
    learns : bool
        Whether it is trained; a filter is not.
    parameters : int or None
        Of the network at the paper's size, as the papers count them.
    field_of_view_px : int or None
        Of that network.
    """

    about: str
    paper: str
    learns: bool
    parameters: int | None = None
    field_of_view_px: int | None = None


CATALOGUE = {name: Entry(**entry) for name, entry in json.loads(FILE.read_text("utf-8")).items()}


def has_weights(name: str) -> bool:
    """Whether trained weights of a preset ship with stemjax."""
    return (WEIGHTS / f"{name}.json").is_file()


def is_ready(name: str) -> bool:
    """Whether a preset denoises as it is."""
    return not CATALOGUE[name].learns or has_weights(name)


def list_models() -> dict[str, str]:
    """Name of every model -> what it is; "train first" stands before those that ship without weights."""
    return {name: f"{'' if is_ready(name) else 'train first: '}{entry.about}" for name, entry in CATALOGUE.items()}


def unknown(name: str) -> ValueError:
    """What to say to a name that is none: the list, and the nearest."""
    near = "".join(f": did you mean {one!r}?" for one in get_close_matches(name, CATALOGUE, 1))
    return ValueError(f"no model named {name!r}{near or ';'} there are {', '.join(CATALOGUE)}, or give a run's folder")


def refuse_unknown(name: str) -> None:
    """Raise ValueError if there is neither a preset of this name nor a run in this folder."""
    if name not in CATALOGUE and not (name and Path(name).exists()):
        raise unknown(name)


def refuse_filter(name: str) -> None:
    """Raise ValueError if the preset of this name has nothing to train."""
    if name in CATALOGUE and not CATALOGUE[name].learns:
        raise ValueError(f"{name} is a filter, with nothing to train: use it as it is, or train another model")


def refuse_untrained(name: str) -> None:
    """Raise ValueError if the preset of this name has to be trained first."""
    if name in CATALOGUE and not is_ready(name):
        raise ValueError(
            f"{name} has no weights of its own; train it (`stemjax train {name}`, in Python stemjax.train({name!r}, "
            "data)) and give the run's folder"
        )


def entries() -> dict[str, Entry]:
    """The catalogue as the presets have it: every network is built."""
    from stemjax.denoisers.protocol import ask, is_trainable
    from stemjax.metrics.field_of_view import field_of_view
    from stemjax.models.presets import PRESETS
    from stemjax.networks.weights import parameter_count

    catalogue = {}
    for name, preset in PRESETS.items():
        network = ask(preset.denoiser, "network")
        size = () if network is None else (parameter_count(network, published=True), field_of_view(network.geometry()))
        catalogue[name] = Entry(preset.about, preset.paper, is_trainable(preset.denoiser), *size)
    return catalogue


if __name__ == "__main__":
    FILE.write_text(json.dumps({name: asdict(entry) for name, entry in entries().items()}, indent=1) + "\n", "utf-8")
    print(FILE.name)
