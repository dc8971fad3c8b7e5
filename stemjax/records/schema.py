"""What a record holds, and what makes one sound."""

import hashlib
import re
from collections.abc import Iterator
from itertools import pairwise

from stemjax.data.datasets import canonical_json, recipe_hash
from stemjax.metrics.image import METRICS_VERSION, PROTOCOLS
from stemjax.records.code import are_trees
from stemjax.records.contract import RELABELLED
from stemjax.records.scores import RANGES, intervals, means, scores_text

SCHEMA_VERSION = 2  # 1 had no `conditions`
BENCHMARK_VERSION = 0  # 0 until the benchmark is frozen as version 1
SIZES = ("smoke", "cpu", "gpu")
# Records that agree in all of these are the same row of the same table: the newest supersedes the others, also where
# the data set or the imaging of the experiment has changed since.
IDENTITY = (*("benchmark_version", "experiment", "method", "conditions", "seed", "protocol", "size", "split"),)
CARD_CLASS = "submissions.Card"  # of a submitted method, whose card stands in its record in place of a denoiser

_TEXT, _COUNT, _SECONDS = (str,), (int,), (int, float, type(None))
_SCHEMA = {
    "schema_version": _COUNT,
    "benchmark_version": _COUNT,
    "experiment": _TEXT,
    "method": _TEXT,
    "conditions": (dict,),
    "denoiser": (dict,),
    "denoiser_hash": _TEXT,
    "run": (str, type(None)),
    "seed": (int, type(None)),
    "data_set": (dict,),
    "imaging": (dict,),
    "protocol": _TEXT,
    "size": _TEXT,
    "split": _TEXT,
    "units": (list,),
    "images": _COUNT,
    "checkpoint": (str, type(None)),
    "scores": (dict,),
    "scores_sha256": _TEXT,
    "interval": (dict, type(None)),
    "learning_curve": (list,),
    "tuning": (dict, type(None)),
    "parameters": _COUNT,
    "field_of_view": (int, type(None)),
    "code": (dict,),
    "software": (dict,),
    "hardware": (dict,),
    "wall_s": _SECONDS,
    "compile_s": _SECONDS,
    "command": _TEXT,
    "time_utc": _TEXT,
    "supersedes": (str, type(None)),
}
# Fields that records did not have from the beginning: the version of what the scores mean (1 where it is missing; see
# `metrics.image`), and how scores were computed from those of the record that this one supersedes.
_LATER = {"metrics_version": _COUNT, "derived": (dict,)}
_OF_DERIVED = {"how", "command", "code", "time_utc"}
MACHINE_PATH = re.compile(r"""(?<![^\s=:,;'"(\[])(?:/(?!/)|~/|[A-Za-z]:[\\/])[^\s=:,;'")\]]+""")


def digest(text: str) -> str:
    """sha256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def record_id(record: dict) -> str:
    """sha256 of the canonical JSON of a record without its id."""
    bare = {name: value for name, value in record.items() if name != "id"}
    return digest(canonical_json(bare))


def identity(record: dict) -> tuple:
    """What the record measured: see `IDENTITY`. The draft of version 1, version 0, is the same as version 1."""
    now = {"benchmark_version": max(record["benchmark_version"], 1)}
    now |= {"method": RELABELLED.get(record["method"], record["method"])}
    return tuple((record | now).get(name, {}) for name in IDENTITY)


def is_submission(record: dict) -> bool:
    """Whether a record is of a method from outside: it competes on the leaderboard, and is in none of the tables."""
    return record["denoiser"].get("class") == CARD_CLASS


def find_faults(record: dict, rows: list[dict]) -> list[str]:
    """What is wrong with a record without its id and with its scores, one line each; an empty list means sound."""
    return faults_of_form(record) or faults_of_scores(record, rows)


def faults_of_form(record: dict) -> list[str]:
    """What is wrong with a record without its id, as far as it alone can tell."""
    different = sorted(set(_SCHEMA) ^ (set(record) - set(_LATER)))
    if different:
        return [f"{name}: {'missing' if name in _SCHEMA else 'unknown field'}" for name in different]
    mistyped = [
        f"{name}: {record[name]!r} is not {' or '.join(t.__name__ for t in types)}"
        for name, types in (_SCHEMA | _LATER).items()
        if name in record and (not isinstance(record[name], types) or isinstance(record[name], bool))
    ]
    if mistyped:
        return mistyped
    seconds = [record["wall_s"] or 0, record["compile_s"] or 0]
    claims = {
        f"schema_version is {SCHEMA_VERSION}": record["schema_version"] == SCHEMA_VERSION,
        f"size is one of {', '.join(SIZES)}": record["size"] in SIZES,
        f"protocol is one of {', '.join(PROTOCOLS)}": record["protocol"] in PROTOCOLS,
        "experiment is a name of small letters, digits and _": re.fullmatch("[a-z0-9_]+", record["experiment"]),
        "denoiser_hash is the hash of denoiser": record["denoiser_hash"] == recipe_hash(record["denoiser"]),
        "each condition is a text or a number": _are_scalars(record["conditions"]),
        "recipe_hash has 16 hexadecimal digits": _is_hex(record["data_set"].get("recipe_hash"), 16),
        "run has 16 hexadecimal digits": record["run"] is None or _is_hex(record["run"], 16),
        "trees are those of packages, 40 hexadecimal digits each": are_trees(record["code"].get("trees", {})),
        "checkpoint has 64 hexadecimal digits": record["checkpoint"] is None or _is_hex(record["checkpoint"], 64),
        "supersedes has 64 hexadecimal digits": record["supersedes"] is None or _is_hex(record["supersedes"], 64),
        "each tuned value is one of those tried, and has a score": _is_tuning(record["tuning"]),
        "the learning curve is finite and goes forward": _is_curve(record["learning_curve"]),
        f"metrics_version is 1 to {METRICS_VERSION}": 1 <= record.get("metrics_version", 1) <= METRICS_VERSION,
        f"derived says {', '.join(sorted(_OF_DERIVED))}, and supersedes what it is derived from": _is_derived(record),
        "counts and times are not negative": min(record["images"], record["parameters"], *seconds) >= 0,
    }
    problems = [f"it is not so that {claim}" for claim, holds in claims.items() if not holds]
    return problems + [f"it names a path of this machine: {path}" for path in sorted(set(_machine_paths(record)))]


def faults_of_scores(record: dict, rows: list[dict]) -> list[str]:
    """What is wrong with the scores of a record that is sound in form."""
    if not _are_complete(rows):
        return ["it is not so that every image has a name of its own, a unit and the same scores"]
    for row in rows:
        for name in (name for name in row if name in RANGES and not _in_range(name, row[name])):
            return [f"it is not so that scores are finite and plausible: {name} of {row['image']} is {row[name]}"]
    stated = record["scores"], record["interval"], record["scores_sha256"]
    is_told = stated == (means(rows), intervals(rows), digest(scores_text(rows)))
    return [] if is_told else ["its scores are not those of the images"]


def _is_derived(record: dict) -> bool:
    return "derived" not in record or (set(record["derived"]) == _OF_DERIVED and record["supersedes"] is not None)


def _are_scalars(conditions: dict) -> bool:
    return all(isinstance(value, str | int | float) for value in conditions.values())


def _are_complete(rows: list[dict]) -> bool:
    names = [row.get("image") for row in rows]
    complete = all(row.get("image") and row.get("unit") and list(row) == list(rows[0]) for row in rows)
    return bool(rows) and complete and len(set(names)) == len(names) and bool(set(rows[0]) & set(RANGES))


def _is_tuning(tuning: dict | None) -> bool:
    return all(_is_choice(tried) for tried in (tuning or {}).values())


def _is_choice(tried: dict) -> bool:
    """Values, their ``validation_<score>`` and the one chosen; only a training that diverged has no score (None)."""
    names = [name.removeprefix("validation_") for name in tried if name.startswith("validation_")]
    if len(names) != 1 or names[0] not in RANGES or not {"values", "chosen"} <= set(tried):
        return False
    values, scores = tried["values"], tried[f"validation_{names[0]}"]
    return (
        len(values) == len(scores)
        and tried["chosen"] in values
        and _in_range(names[0], scores[values.index(tried["chosen"])])
        and all(score is None or _in_range(names[0], score) for score in scores)
    )


def _is_curve(curve: list[dict]) -> bool:
    if not all(
        {"crops", "validation_psnr_db"} <= set(point) and _is_psnr(point["validation_psnr_db"]) for point in curve
    ):
        return False
    return all(before["crops"] < after["crops"] for before, after in pairwise(curve))


def _is_psnr(value: float) -> bool:
    return _in_range("psnr_db", value)


def _is_hex(text, digits: int) -> bool:
    return isinstance(text, str) and re.fullmatch(f"[0-9a-f]{{{digits}}}", text) is not None


def _in_range(name: str, value: float) -> bool:
    low, high = RANGES[name]
    return low <= value <= high  # false for NaN


def _machine_paths(value) -> Iterator[str]:
    if isinstance(value, str):
        yield from MACHINE_PATH.findall(value)
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _machine_paths(part)
