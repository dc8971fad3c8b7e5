"""Records on disk: added under a lock, never edited, verified whenever they are read."""

import fcntl
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stemjax.data.datasets import canonical_json
from stemjax.files import write_whole
from stemjax.records.contract import comparable, outdated
from stemjax.records.schema import faults_of_form, find_faults, identity, record_id
from stemjax.records.scores import read_scores, rounded, scores_text


def scores_path(folder: Path, record_id: str) -> Path:
    """Where the scores of a record lie."""
    return Path(folder) / "scores" / f"{record_id[:16]}.csv"


def load_scores(folder: str | Path, records: list[dict]) -> dict[str, list[dict]]:
    """Scores of each record by its id: one row per image, as in `new_record`, without those `outdated`."""
    scores = {}
    for record in records:
        rows = stored_scores(folder, record)
        gone = outdated(record, rows[0])
        scores[record["id"]] = [{name: x for name, x in row.items() if name not in gone} for row in rows]
    return scores


def stored_scores(folder: str | Path, record: dict) -> list[dict]:
    """Every score of a record as it was made, also what means something else now."""
    return read_scores(scores_path(folder, record["id"]).read_text("utf-8"))


# ---------------------------------------------------------------------------------------------------- adding
def append(folder: str | Path, record: dict, scores: list[dict]) -> str:
    """Add a record and its scores; a current record that measured the same thing is superseded. See `append_all`."""
    return append_all(folder, [(record, scores)])[0]


def append_all(folder: str | Path, added: Iterable[tuple[dict, list[dict]]]) -> list[str]:
    """Add records, each with its scores; a current record that measured the same thing is superseded.

    Safe at any moment: scores, record and index are each whole or absent, and writers wait for each other.

    Parameters
    ----------
    folder : path
        For example ``results/records``.
    added : pairs of record and scores
        From `new_record` or `derived_record`, and the same scores as given there.

    Returns
    -------
    list of str
        The ids of the records.

    Raises
    ------
    ValueError
        If something in a record is missing, impossible or names a path of this machine, if there is no such record to
        supersede or another one does, or if the records that are there were altered. Nothing was added then, or the
        records before the one that the message names.
    """
    folder, pairs, ids = Path(folder), [(record, rounded(scores)) for record, scores in added], []
    for record, rows in pairs:
        if problems := find_faults(record, rows):
            raise ValueError(f"record of {record.get('method')!r} refused: {'; '.join(problems)}")
    (folder / "scores").mkdir(parents=True, exist_ok=True)
    with _lock(folder):
        _finish(folder)
        present = _load(folder)
        for record, rows in pairs:
            record = record | {"supersedes": _superseded_by(record, present)}
            new_id = record_id(record)
            if new_id in {r["id"] for r in present}:
                raise ValueError(f"record {new_id[:16]} ({record['method']}) is there already")
            _write_text(scores_path(folder, new_id), scores_text(rows))
            _add_line(folder / f"{record['experiment']}.jsonl", canonical_json(record | {"id": new_id}))
            _add_line(folder / "index.txt", _index_line(record | {"id": new_id}))
            present.append(record | {"id": new_id})
            ids.append(new_id)
    return ids


def _superseded_by(record: dict, present: list[dict]) -> str | None:
    """Id of the record that a new one supersedes: the one that it names, or the current one of the same thing."""
    if record["supersedes"] is None:
        same = [r["id"] for r in standing(present) if identity(r) == identity(record)]
        return same[-1] if same else None
    if record["supersedes"] not in {r["id"] for r in present}:
        raise ValueError(f"there is no record {record['supersedes'][:16]} for {record['method']!r} to supersede")
    if "derived" in record and record["supersedes"] not in {r["id"] for r in standing(present)}:
        raise ValueError(f"record {record['supersedes'][:16]} ({record['method']}) is superseded already")
    return record["supersedes"]


@contextmanager
def _lock(folder: Path, shared: bool = False) -> Iterator[None]:
    """Wait for the folder, and hold it; the folder itself is locked, so no file is left behind. Readers share it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _finish(folder: Path) -> None:
    """List the last record of a file where an append was killed just before it did so."""
    listed = set(_lines(folder / "index.txt")[0])
    for path in sorted(folder.glob("*.jsonl")):
        lines, _ = _lines(path)
        record = _parse(lines[-1]) if lines else None
        if record and _is_whole(record, lines[-1]) and _index_line(record) not in listed:
            _add_line(folder / "index.txt", _index_line(record))


def _write_text(path: Path, text: str) -> None:
    write_whole(path, lambda stream: stream.write(text.encode()))


def _add_line(path: Path, line: str) -> None:
    """The file with one more line, whole or as before."""
    text = path.read_text("utf-8") if path.exists() else ""
    _write_text(path, f"{text}{line}\n")


# ---------------------------------------------------------------------------------------------------- reading
def load(folder: str | Path) -> list[dict]:
    """All records, by file and in the order they were added, after a check of every one of them.

    That a record's figures follow from its scores takes longer to see: `audit`.

    Raises
    ------
    ValueError
        If a record was edited, copied, moved or lost, or its scores were, or if a current one cannot be what
        `new_record` made; the message names each, one line each.
    """
    folder = Path(folder)
    if not folder.is_dir():
        return _load(folder)
    with _lock(folder, shared=True):  # a record that is being added is in its file before it is in the index
        return _load(folder)


def _load(folder: Path) -> list[dict]:
    records, problems, seen = [], [], {}
    for path in sorted(folder.glob("*.jsonl")):
        lines, rest = _lines(path)
        for number, line in enumerate(lines + [rest] * bool(rest), 1):
            record, where = _parse(line), f"{path.name}, line {number}"
            if record is None:
                problems.append(f"{where}: not readable as a record")
                continue
            name = f"record {record['id'][:16]} ({where})"
            if record["id"] in seen:
                problems.append(f"{name}: a copy of {seen[record['id']]}")
                continue
            seen[record["id"]] = where
            if not _is_whole(record, line) or rest:
                problems.append(f"{name}: edited (its contents do not match its id)")
            elif record["experiment"] != path.stem:
                problems.append(f"{name}: belongs in {record['experiment']}.jsonl")
            else:
                problems += [f"{name}: {fault}" for fault in _faults_of_scores(folder, record)]
                records.append(record)
    problems += _faults_of_index(folder, seen, {record["id"]: _index_line(record) for record in records})
    for record in records:
        if (earlier := record.get("supersedes")) and earlier not in seen:
            problems.append(f"record {earlier[:16]}: missing, though record {record['id'][:16]} supersedes it")
    for record in [] if problems else standing(records):  # the form of older ones may have been another
        problems += [f"record {record['id'][:16]} ({seen[record['id']]}): {f}" for f in faults_of_form(_bare(record))]
    if problems:
        advice = "bring back the committed files; a correction is a new record that supersedes the old one"
        raise ValueError("\n".join([f"{folder}: altered records; {advice}", *problems]))
    return records


def audit(folder: str | Path) -> list[str]:
    """Every current record whose figures do not follow from its scores, one line each.

    Raises
    ------
    ValueError
        As `load`.
    """
    return [
        f"{folder}: record {record['id'][:16]} ({record['method']}): {fault}"
        for record in standing(load(folder))
        for fault in find_faults(_bare(record), stored_scores(folder, record))
    ]


def standing(records: list[dict]) -> list[dict]:
    """The records that no other supersedes, as they were made."""
    superseded = {record.get("supersedes") for record in records}
    return [record for record in records if record["id"] not in superseded]


def current(records: list[dict]) -> list[dict]:
    """The records that no other supersedes, each without the scores that mean something else now (`comparable`)."""
    return [comparable(record) for record in standing(records)]


def origins(records: list[dict]) -> dict[str, str]:
    """Id of every record -> id of the one that measured: its own, or the one that it was derived from."""
    before, origin_of = {record["id"]: record["supersedes"] for record in records if "derived" in record}, {}
    for record in records:
        origin = record["id"]
        while origin in before:
            origin = before[origin]
        origin_of[record["id"]] = origin
    return origin_of


def _lines(path: Path) -> tuple[list[str], str]:
    """Complete lines of a file, and what follows the last of them."""
    text = path.read_bytes().decode("utf-8", errors="replace") if path.exists() else ""
    *lines, rest = text.split("\n")
    return lines, rest


def _parse(line: str) -> dict | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    named = isinstance(record, dict) and all(isinstance(record.get(name), str) for name in ("id", "experiment"))
    return record if named else None


def _is_whole(record: dict, line: str) -> bool:
    try:
        return canonical_json(record) == line and record_id(record) == record["id"]
    except ValueError:  # NaN, or a character that UTF-8 does not have
        return False


def _bare(record: dict) -> dict:
    return {name: value for name, value in record.items() if name != "id"}


def _index_line(record: dict) -> str:
    return f"{record['id']} {record['experiment']}"


def _faults_of_scores(folder: Path, record: dict) -> Iterator[str]:
    path = scores_path(folder, record["id"])
    if not path.is_file():
        yield f"its scores are missing (scores/{path.name})"
    elif hashlib.sha256(path.read_bytes()).hexdigest() != record["scores_sha256"]:
        yield f"its scores were edited (scores/{path.name})"


def _faults_of_index(folder: Path, seen: dict[str, str], expected: dict[str, str]) -> Iterator[str]:
    lines, rest = _lines(folder / "index.txt")
    if rest:
        yield f"index.txt: its last line is cut short: {rest[:16]}"
    for line, count in Counter(lines).items():
        listed, _, experiment = line.partition(" ")
        if count > 1:
            yield f"index.txt: record {listed[:16]} is listed {count} times"
        if listed not in seen:
            yield f"record {listed[:16]}: missing from {experiment}.jsonl"
    for listed, line in expected.items():
        if line not in lines:
            yield f"record {listed[:16]} ({seen[listed]}): not in index.txt"
