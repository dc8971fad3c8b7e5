"""Every competing record in full, at an address of its own: ``leaderboard/TRACK.html#ID``."""

from collections.abc import Sequence
from html import escape

from stemjax.datasets import canonical_json
from stemjax.leaderboard.benchmark import Track
from stemjax.leaderboard.entries import Ranking
from stemjax.records import is_submission


def record_articles(track: Track, rankings: Sequence[Ranking], scores: dict[str, list[dict]]) -> str:
    """The records of one track: command, hashes, hardware, and the score of every image."""
    shown: dict[str, str] = {}
    for ranking in rankings:
        for entry in ranking.entries:
            for record in entry.records:
                if record["id"] not in shown:
                    shown[record["id"]] = _article(record, ranking.score, scores[record["id"]])
    head = (
        f'<header class="top"><p><a href="../index.html#{track.id}">Leaderboard</a></p><h1>{escape(track.title)}</h1>'
        f'<p class="lede">The {len(shown)} records behind this track. An id is the sha256 of the contents: '
        "whatever is edited shows.</p></header>"
    )
    return f'{head}<main id="main">{"".join(shown.values())}</main>'


def _article(record: dict, score: str, rows: list[dict]) -> str:
    seed = "" if record["seed"] is None else f", training seed {record['seed']}"
    conditions = ", ".join(f"{name} = {value}" for name, value in record["conditions"].items())
    data, code, hardware = record["data_set"], record["code"], record["hardware"]
    devices = ", ".join(f"{count} × {name}" for name, count in hardware["devices"].items())
    facts = {
        "Record": f'<a href="#{record["id"][:16]}" class="hash">{record["id"]}</a>',
        "Command": f"<code>{escape(record['command'])}</code>",
        **({"Derived": _derived(record)} if "derived" in record else {}),
        "Scores": _scores(record),
        "Data set": f"{escape(data['name'])}, recipe {_hash(data['recipe_hash'])}, split {record['split']}",
        "Conditions": escape(conditions) or "–",
        "Protocol": escape(record["protocol"]),
        "Code": f"stemjax {code['version']}, commit <span class=hash>{code['commit'] or 'unknown'}</span>"
        + (", with uncommitted changes" if code["dirty"] else ""),
        "Run": _hash(record["run"]),
        "Weights": _hash(record["checkpoint"]),
        "Hardware": f"{escape(hardware['cpu'])}, {hardware['cores']} cores; {escape(devices)}",
        "Software": escape(", ".join(f"{name} {version}" for name, version in record["software"].items())),
        "Network": _network(record),
        "Tried": _tuning(record),
        "Method": f"<code>{escape(canonical_json(record['denoiser']))}</code>, "
        f"<span class=hash>{record['denoiser_hash']}</span>",
        "Images": f"<code>{escape(canonical_json(record['imaging']))}</code>",
        "Recorded": f"{record['time_utc']}, schema {record['schema_version']}, "
        f"benchmark version {record['benchmark_version']}",
        "Files": f'<a href="../records/{record["experiment"]}.jsonl">{record["experiment"]}.jsonl</a>, '
        f'<a href="../records/scores/{record["id"][:16]}.csv">all scores of every image</a> '
        f"(sha256 <span class=hash>{record['scores_sha256'][:16]}</span>)",
    }
    listed = "".join(f"<dt>{name}<dd>{value}\n" for name, value in facts.items())
    table = _images(score, rows)
    return (
        f'<article class="record" id="{record["id"][:16]}"><h2>{escape(record["method"])}{seed}</h2>'
        f'<span class="size">size {record["size"]}</span><dl class="facts">{listed}</dl>{table}</article>\n'
    )


def _derived(record: dict) -> str:
    """How scores came from those of the record before, whose measurement command, code and hardware are of."""
    how, earlier = record["derived"], record["supersedes"][:16]
    text = f"{how['how']} (record {earlier}; {how['time_utc']}, commit {how['code']['commit'] or 'unknown'})"
    return f"{escape(text)}, by <code>{escape(how['command'])}</code>"


def _scores(record: dict) -> str:
    ends = record["interval"] or {}
    parts = (
        f"{n} {v:g}" + (" [{:g}, {:g}]".format(*ends[n]) if n in ends else "") for n, v in record["scores"].items()
    )
    return "; ".join(parts)


def _hash(value: str | None) -> str:
    return f"<span class=hash>{value}</span>" if value else "–"


def _network(record: dict) -> str:
    if not record["parameters"]:
        return "–"
    unknown = "not stated" if is_submission(record) else "without bound"
    return f"{record['parameters']:,} parameters, field of view {record['field_of_view'] or unknown} px"


def _tuning(record: dict) -> str:
    told = record["denoiser"]["settings"] if is_submission(record) else 0
    if not record["tuning"] and not told:
        return "nothing: a fixed recipe"
    texts = [f"{told} settings, as its authors say"] * bool(told)
    for field, tried in (record["tuning"] or {}).items():
        values = ", ".join(f"{value:.4g}" if isinstance(value, float) else str(value) for value in tried["values"])
        texts.append(f"{escape(field)}: {escape(str(tried['chosen']))} of {escape(values)}")
    return "; ".join(texts)


def _images(score: str, rows: list[dict]) -> str:
    """The score of every image, one line per unit."""
    units: dict[str, list[dict]] = {}
    for row in rows:
        units.setdefault(row["unit"], []).append(row)
    digits = 2 if score.endswith("_db") else 3
    lines = "".join(
        f"<tr><th scope=row>{escape(unit)}"
        + "".join(f'<td title="{escape(row["image"])}">{row[score]:.{digits}f}' for row in images)
        + "\n"
        for unit, images in units.items()
    )
    heading = f"{escape(score)} of each of {len(rows)} images"
    table = f'<div class="scroll"><table class="images"><tbody>{lines}</tbody></table></div>'
    return f"<details><summary>{heading}</summary>{table}</details>"
