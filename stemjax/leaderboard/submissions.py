"""Records of other people's methods: a card that says what the method is, its scores, and where it would stand."""

import json
import shutil
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path

import numpy as np

from stemjax import records
from stemjax.apply import columns
from stemjax.apply.evaluate import ImageSet
from stemjax.leaderboard import exchange
from stemjax.leaderboard.benchmark import NAME, Benchmark, Track
from stemjax.leaderboard.entries import Entry, Ranking, competing, rankings
from stemjax.leaderboard.parts import VALIDATION, Part
from stemjax.records import rebuild
from stemjax.records.schema import MACHINE_PATH, identity
from stemjax.records.scores import rounded

FAMILIES = ("network", "filter", "reference")
SUPERVISION = ("supervised", "self-supervised", "none")
RULES = ("fixed", "tuned")
UNPRINTED = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Unicode's categories: control, format, half a character, line, paragraph
COPIED = (NAME, "errata.json", "records", "benchmarks")  # of the project's results, to see one's row among the others


@dataclass(frozen=True)
class Card:
    """What a submitted method is; it stands in the record in place of the denoiser.

    Parameters
    ----------
    name : str
        Label of the row.
    code : str
        Where the code is.
    trained_on : str
        What it learnt from; "nothing" for a filter.
    rules : {"fixed", "tuned"}
        Rule set of the benchmark; `settings` is then how many values were tried on the validation split.
    field_of_view : int or None
        [px]
    training : int
        Number of the training, where a network was trained more than once: each is submitted by itself.
    predictions : str
        sha256 of the predictions.
    """

    name: str
    authors: str
    family: str
    supervision: str
    parameters: int
    code: str
    licence: str
    trained_on: str
    rules: str
    settings: int
    field_of_view: int | None = None
    training: int = 0
    predictions: str = ""


@dataclass(frozen=True)
class Scored:
    """The scores of predictions on one part, as a row of one table."""

    part: Part
    experiment: str
    conditions: dict
    rows: list[dict]
    tuning: dict | None = None


# ---------------------------------------------------------------------------------------------------- card
def read_card(path: str | Path, budget: int) -> Card:
    """A method card from its file.

    Parameters
    ----------
    budget : int
        How many values a tuned method may try.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If it is not a card; the message names the field.
    """
    path = Path(path)
    if not path.is_file():
        raise OSError(f"{path}: no such file; `stemjax leaderboard export-track` writes a card to fill in")
    try:
        plain = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(plain, dict):
        raise ValueError(f"{path}: not a card, which is an object of named fields")
    known = {field.name: field for field in fields(Card) if field.name != "predictions"}
    if unknown := sorted(set(plain) - set(known)):
        raise ValueError(f"{path}: unknown field {unknown[0]!r}; a card has {', '.join(known)}")
    if missing := [name for name, field in known.items() if field.default is MISSING and name not in plain]:
        raise ValueError(f"{path}: {missing[0]} is missing")
    for name, value in plain.items():
        if not isinstance(value, known[name].type) or isinstance(value, bool):
            wanted = "a text" if known[name].type is str else "a whole number"
            raise ValueError(f"{path}: {name} is {value!r}; it has to be {wanted}")
        if isinstance(value, str) and (not value.strip() or value == exchange.EMPTY_CARD.get(name)):
            raise ValueError(f"{path}: {name} is not filled in")
        if isinstance(value, str) and any(unicodedata.category(letter) in UNPRINTED for letter in value):
            raise ValueError(f"{path}: {name} is {value!r}; write it in one line, without control characters")
        if isinstance(value, str) and (place := MACHINE_PATH.search(value)):
            raise ValueError(f"{path}: {name} names a path of this machine, {place[0]}; say what others can open")
    card = Card(**plain)
    for name, allowed in {"family": FAMILIES, "supervision": SUPERVISION, "rules": RULES}.items():
        if getattr(card, name) not in allowed:
            raise ValueError(f"{path}: {name} is {getattr(card, name)!r}; choose one of {', '.join(allowed)}")
    claims = {
        "parameters, settings and training are not negative": min(card.parameters, card.settings, card.training) >= 0,
        "field_of_view is positive": card.field_of_view is None or card.field_of_view > 0,
        "a network has parameters": card.family != "network" or card.parameters > 0,
        "a network says how it was supervised": card.family != "network" or card.supervision != "none",
        "a tuned method says in settings how many values it tried, a fixed one tried 0": (
            (card.rules == "tuned") == (card.settings > 0)
        ),
        f"at most {budget} settings were tried, the benchmark's budget": card.settings <= budget,
    }
    if broken := [claim for claim, holds in claims.items() if not holds]:
        raise ValueError(f"{path}: it is not so that {broken[0]}")
    return card


def trial_card(name: str) -> Card:
    """The card of what is scored but not submitted, of which nothing but the row's name matters."""
    texts = {"authors": "you", "family": "filter", "supervision": "none", "code": "", "licence": "", "trained_on": ""}
    return Card(name=name, **texts, parameters=0, rules="fixed", settings=0)


# ---------------------------------------------------------------------------------------------------- scores
def score_folder(
    folder: str | Path, parts: Sequence[Part], root: str | Path, allow_constant: bool = False, log=lambda text: None
) -> tuple[list[Scored], str]:
    """Score a folder of predictions under a track's contract: (scores of every part, sha256 of the predictions).

    Parameters
    ----------
    root : path
        Folder of data sets.
    log : callable
        Takes a line for every part, and warnings.
    """
    counts = {part.name: part.count(root) for part in parts}
    paths = exchange.check_files(folder, counts)

    def read(part: Part, images: ImageSet) -> np.ndarray:
        predictions = exchange.read_predictions(paths[part.name], images, allow_constant)
        if not part.validation_of and (doubt := exchange.doubt_about_unit(predictions, images)):
            log(f"warning: {part.name}: {doubt}")
        return predictions

    return score_parts(parts, root, read, log), exchange.digest_of(paths)


def score_parts(
    parts: Sequence[Part], root: str | Path, predict: Callable[[Part, ImageSet], np.ndarray], log=lambda text: None
) -> list[Scored]:
    """The scores of predictions on every part of a track, under its contract.

    Parameters
    ----------
    predict : callable
        (part, its images) -> denoised images, of the shape of the noisy ones.
    """
    every = {part.name: part for part in parts}
    scored = []
    for part in parts:
        if part.validation_of:
            continue
        data, images = part.images(root)
        predictions, threshold = predict(part, images), None
        if part.tunes_threshold:
            tuning = every[part.name + VALIDATION]
            of, alike = tuning.images(root)
            threshold = columns.tune_threshold(
                columns.Reference.of(of, alike), predict(tuning, alike), alike.images.unit
            )
            log(f"{part.name}: threshold of the column finder {threshold['chosen']}, chosen on {len(alike)} images")
        as_method = part.record | {"denoiser": {"class": records.CARD_CLASS}}  # not noisy images, which go unclamped
        for experiment, conditions in part.targets:
            tuned = conditions.get("threshold") == "tuned"
            value = threshold["chosen"] if tuned else None
            rows = rebuild.scored(as_method, predictions, images, data, value)
            scored.append(Scored(part, experiment, conditions, rows, {"threshold": threshold} if tuned else None))
    return scored


# ---------------------------------------------------------------------------------------------------- records
def drafts(track: Track, scored: Sequence[Scored], card: Card) -> Iterator[tuple[dict, list[dict]]]:
    """The records of a submission, without their ids, and their scores.

    Raises
    ------
    ValueError
        If one is unsound, and the card names its predictions, as only that of a submission does; the message names
        the part.
    """
    for one in scored:
        model = one.part.record
        record = records.new_record(
            experiment=one.experiment,
            method=card.name,
            denoiser=card,
            data_set=_Named(**model["data_set"]),
            imaging=None,
            protocol=track.protocol,
            size=model["size"],
            split=track.split,
            scores=one.rows,
            conditions=one.conditions,
            seed=card.training if card.family == "network" else None,
            parameters=card.parameters,
            field_of_view=card.field_of_view,
            tuning=one.tuning,
        )
        record |= {"imaging": model["imaging"]}
        if card.predictions and (faults := records.find_faults(record, rounded(one.rows))):
            raise ValueError(f"{one.part.name}: {card.name!r} cannot be recorded: {'; '.join(faults)}")
        yield record, one.rows


@dataclass(frozen=True)
class _Named:
    name: str
    recipe_hash: str


def standing(
    definition: Benchmark, track: Track, current: list[dict], scores: dict, added: Sequence[tuple[dict, list[dict]]]
) -> list[tuple[Ranking, Entry]]:
    """Where records that are not among the others yet would stand: the rankings with them, and their rows.

    Raises
    ------
    ValueError
        If a method of that name is there, which is not a submission, or another training with these predictions.
    """
    refuse_taken_name(current, added)
    refuse_copies(current, added)
    new = {f"{index:064d}": (record, rows) for index, (record, rows) in enumerate(added)}
    replaced = [identity(record) for record, _ in added]
    kept = [record for record in current if identity(record) not in replaced]
    current = kept + [record | {"id": name} for name, (record, _) in new.items()]
    one = replace(definition, tracks=(track,))
    scores = scores | {name: rows for name, (_, rows) in new.items()}
    ranked = rankings(one, competing(one, current), scores)
    return [(r, entry) for r in ranked for entry in r.entries if any(record["id"] in new for record in entry.records)]


def refuse_taken_name(current: Sequence[dict], added: Sequence[tuple[dict, list[dict]]]) -> None:
    """Raise a ValueError if a method of the project, or of other authors, has the name of one that is added."""
    for record, _ in added:
        for other in current:
            same = (other["experiment"], other["method"]) == (record["experiment"], record["method"])
            if same and other["denoiser"].get("authors") != record["denoiser"]["authors"]:
                raise ValueError(
                    f"there is a method named {record['method']!r} already: choose another name in the card"
                )


def refuse_copies(current: Sequence[dict], added: Sequence[tuple[dict, list[dict]]]) -> None:
    """Raise a ValueError if another training of a method that is added has the very same predictions."""
    for record, _ in added:
        digest = record["denoiser"].get("predictions")
        for other in current:
            same = other["method"] == record["method"] and other["denoiser"].get("predictions") == digest
            if digest and same and other["seed"] != record["seed"]:
                raise ValueError(
                    f"these predictions are, byte for byte, those of record {other['id'][:16]}, another training of "
                    f"{record['method']!r}: give the predictions of this training, or the same `training` in the card"
                )


def submit(source: str | Path, target: str | Path, added: Sequence[tuple[dict, list[dict]]]) -> list[str]:
    """Add records to a results folder of one's own, a copy of the project's made first if it is not there.

    All that can be refused is refused before anything is written; that each record is sound, `drafts` has seen to.

    Parameters
    ----------
    source : path
        The project's results.
    target : path
        One's own.

    Returns
    -------
    list of str
        Ids of the records.

    Raises
    ------
    ValueError
        If the name is taken, another training has the same predictions, or both folders are the same.
    """
    source, target = Path(source), Path(target)
    if source.resolve() == target.resolve():
        raise ValueError(f"{target}: the project's own results; give a folder of your own to --out")
    is_begun = (target / NAME).is_file()
    current = records.current(records.load((target if is_begun else source) / "records"))
    refuse_taken_name(current, added)
    refuse_copies(current, added)
    if not is_begun:
        target.mkdir(parents=True, exist_ok=True)
        for name in COPIED:
            if (source / name).is_dir():
                shutil.copytree(source / name, target / name, dirs_exist_ok=True)
            elif (source / name).is_file():
                shutil.copy(source / name, target / name)
    return [records.append(target / "records", record, rows) for record, rows in added]
