"""What may be done to a folder of records once they are made; each function says which record it touched."""

import json
import random
from pathlib import Path

from stemjax import records


def flip_a_character(folder: Path, rng: random.Random) -> str:
    """Change one character of a line of records, so that the result is another text."""
    path = rng.choice(sorted(folder.glob("*.jsonl")))
    lines = path.read_text().splitlines()
    number = rng.randrange(len(lines))
    place = rng.randrange(len(lines[number]))
    named = json.loads(lines[number])["id"]
    replaced = rng.choice([c for c in '0123456789abcxyz"{}, ' if c != lines[number][place]])
    lines[number] = lines[number][:place] + replaced + lines[number][place + 1 :]
    path.write_text("".join(line + "\n" for line in lines))
    return named


def change_a_value(folder: Path, rng: random.Random) -> str:
    """Raise a score, with the id left as it was or made to fit."""
    path = rng.choice(sorted(folder.glob("*.jsonl")))
    found = [json.loads(line) for line in path.read_text().splitlines()]
    record = rng.choice(found)
    named = record["id"]
    record["scores"]["psnr_db"] += 0.01
    if rng.random() < 0.5:
        record["id"] = records.record_id(record)
    lines = [json.dumps(r, sort_keys=True, separators=(",", ":"), ensure_ascii=False) for r in found]
    path.write_text("".join(line + "\n" for line in lines))
    return named


def drop_a_record(folder: Path, rng: random.Random) -> str:
    path = rng.choice(sorted(folder.glob("*.jsonl")))
    lines = path.read_text().splitlines()
    named = json.loads(lines.pop(rng.randrange(len(lines))))["id"]
    path.write_text("".join(line + "\n" for line in lines))
    return named


def copy_a_record(folder: Path, rng: random.Random) -> str:
    line = rng.choice(rng.choice(sorted(folder.glob("*.jsonl"))).read_text().splitlines())
    with open(rng.choice(sorted(folder.glob("*.jsonl"))), "a") as stream:
        stream.write(line + "\n")
    return json.loads(line)["id"]


def alter_scores(folder: Path, rng: random.Random) -> str:
    path = rng.choice(sorted(folder.glob("scores/*.csv")))
    if rng.random() < 0.3:
        path.unlink()
    else:
        path.write_text(path.read_text().replace("0.", "1.", 1))
    return path.stem


def alter_index(folder: Path, rng: random.Random) -> str:
    path = folder / "index.txt"
    lines = path.read_text().splitlines()
    line = rng.choice(lines)
    changed = rng.choice([[], [line, line], [line[:20] + ("0" if line[20] != "0" else "1") + line[21:]], [line + "x"]])
    path.write_text("".join(one + "\n" for old in lines for one in (changed if old == line else [old])))
    return line.split()[0]


ALTERATIONS = (flip_a_character, change_a_value, drop_a_record, copy_a_record, alter_scores, alter_index)
