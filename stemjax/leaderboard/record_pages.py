"""Every competing record in full, at an address of its own: ``leaderboard/TRACK.html#ID``."""

from collections.abc import Sequence

from stemjax.data.datasets import canonical_json
from stemjax.leaderboard.benchmark import Track
from stemjax.leaderboard.entries import Ranking
from stemjax.leaderboard.markup import Html, facts_list, markup
from stemjax.records import is_submission


def record_articles(track: Track, rankings: Sequence[Ranking], scores: dict[str, list[dict]]) -> str:
    """The records of one track: command, hashes, hardware, and the score of every image."""
    article_of: dict[str, str] = {}
    for ranking in rankings:
        for entry in ranking.entries:
            for record in entry.records:
                if record["id"] not in article_of:
                    article_of[record["id"]] = _article(record, ranking.score, scores[record["id"]])
    head = markup(
        '<header class="top"><p><a href="../index.html#{}">Leaderboard</a></p><h1>{}</h1>'
        '<p class="lede">The {} records behind this track. An id is the sha256 of the contents: '
        "whatever is edited shows.</p></header>",
        *(track.id, track.title, len(article_of)),
    )
    return f'{head}<main id="main">{"".join(article_of.values())}</main>'


def _article(record: dict, score: str, rows: list[dict]) -> Html:
    """One record; its facts are text unless they are marked as HTML."""
    seed = "" if record["seed"] is None else f", training seed {record['seed']}"
    data, code, hardware = record["data_set"], record["code"], record["hardware"]
    devices = ", ".join(f"{count} × {name}" for name, count in hardware["devices"].items())
    commit = markup("stemjax {}, commit <span class=hash>{}</span>", code["version"], code["commit"] or "unknown")
    short, experiment = record["id"][:16], record["experiment"]
    facts = {
        "Record": markup('<a href="#{}" class="hash">{}</a>', short, record["id"]),
        "Command": markup("<code>{}</code>", record["command"]),
        **({"Derived": _derived(record)} if "derived" in record else {}),
        "Scores": _scores(record),
        "Data set": markup("{}, recipe {}, split {}", data["name"], _hash(data["recipe_hash"]), record["split"]),
        "Conditions": ", ".join(f"{name} = {value}" for name, value in record["conditions"].items()) or "–",
        "Protocol": record["protocol"],
        "Code": markup("{}{}", commit, ", with uncommitted changes" if code["dirty"] else ""),
        "Run": _hash(record["run"]),
        "Weights": _hash(record["checkpoint"]),
        "Hardware": f"{hardware['cpu']}, {hardware['cores']} cores; {devices}",
        "Software": ", ".join(f"{name} {version}" for name, version in record["software"].items()),
        "Network": _network(record),
        "Tried": _tuning(record),
        "Method": markup(
            "<code>{}</code>, <span class=hash>{}</span>", canonical_json(record["denoiser"]), record["denoiser_hash"]
        ),
        "Images": markup("<code>{}</code>", canonical_json(record["imaging"])),
        "Recorded": f"{record['time_utc']}, schema {record['schema_version']}, "
        f"benchmark version {record['benchmark_version']}",
        "Files": markup(
            '<a href="../records/{}.jsonl">{}.jsonl</a>, <a href="../records/scores/{}.csv">all scores of every image'
            "</a> (sha256 <span class=hash>{}</span>)",
            *(experiment, experiment, short, record["scores_sha256"][:16]),
        ),
    }
    return markup(
        '<article class="record" id="{}"><h2>{}</h2><span class="size">size {}</span><dl class="facts">{}</dl>{}'
        "</article>\n",
        *(short, record["method"] + seed, record["size"], facts_list(facts, "<dt>{}<dd>{}\n"), _images(score, rows)),
    )


def _derived(record: dict) -> Html:
    """How scores came from those of the record before, whose measurement command, code and hardware are of."""
    how, earlier = record["derived"], record["supersedes"][:16]
    text = f"{how['how']} (record {earlier}; {how['time_utc']}, commit {how['code']['commit'] or 'unknown'})"
    return markup("{}, by <code>{}</code>", text, how["command"])


def _scores(record: dict) -> str:
    ends = record["interval"] or {}
    parts = (
        f"{n} {v:g}" + (" [{:g}, {:g}]".format(*ends[n]) if n in ends else "") for n, v in record["scores"].items()
    )
    return "; ".join(parts)


def _hash(value: str | None) -> Html:
    return markup("<span class=hash>{}</span>", value) if value else Html("–")


def _network(record: dict) -> str:
    if not record["parameters"]:
        return "–"
    unknown = "not stated" if is_submission(record) else "without bound"
    return f"{record['parameters']:,} parameters, field of view {record['field_of_view'] or unknown} px"


def _tuning(record: dict) -> str:
    settings = record["denoiser"]["settings"] if is_submission(record) else 0
    if not record["tuning"] and not settings:
        return "nothing: a fixed recipe"
    texts = [f"{settings} settings, as its authors say"] * bool(settings)
    for field, tried in (record["tuning"] or {}).items():
        values = ", ".join(f"{value:.4g}" if isinstance(value, float) else str(value) for value in tried["values"])
        texts.append(f"{field}: {tried['chosen']} of {values}")
    return "; ".join(texts)


def _images(score: str, rows: list[dict]) -> Html:
    """The score of every image, one line per unit."""
    units: dict[str, list[dict]] = {}
    for row in rows:
        units.setdefault(row["unit"], []).append(row)
    digits = 2 if score.endswith("_db") else 3
    lines = []
    for unit, images in units.items():
        cells = (markup('<td title="{}">{}', row["image"], f"{row[score]:.{digits}f}") for row in images)
        lines.append(markup("<tr><th scope=row>{}{}\n", unit, Html("".join(cells))))
    heading = markup("{} of each of {} images", score, len(rows))
    table = markup('<div class="scroll"><table class="images"><tbody>{}</tbody></table></div>', Html("".join(lines)))
    return markup("<details><summary>{}</summary>{}</details>", heading, table)
