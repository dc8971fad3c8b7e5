"""The leaderboard as one static page, and a page of full records beside it for every track."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from stemjax.data.older_recipes import remark
from stemjax.leaderboard.benchmark import Benchmark, Track
from stemjax.leaderboard.boards import board_html, is_separate, value_text
from stemjax.leaderboard.data import seeds
from stemjax.leaderboard.entries import Ranking
from stemjax.leaderboard.markup import Html, facts_list, markup
from stemjax.leaderboard.pictures import compare_html
from stemjax.leaderboard.plots import plots_html
from stemjax.leaderboard.record_pages import record_articles

_OPEN = 3  # rankings of a track that are unfolded; the others wait in one line each
_FILTERS = {
    "family": ("network", "filter", "reference"),
    "supervision": ("supervised", "self-supervised", "none"),
    "rules": ("fixed", "tuned"),
}
_PARAMETERS = {"none": "none", "1k": "up to 1,000", "100k": "up to 100,000", "1M": "up to 1 million", "more": "more"}


def index_page(
    definition: Benchmark, rankings: Sequence[Ranking], errata: list[dict], pictures: list[dict], results: Path
) -> bytes:
    """``index.html``: everything to read, without a word from another host."""
    of_track = {track.id: [r for r in rankings if r.track.id == track.id] for track in definition.tracks}
    sections = "".join(_section(definition, of_track[t.id], errata, pictures, results) for t in definition.tracks)
    body = (
        f"{_header(definition, rankings)}{_filters(definition)}"
        f'<main id="main">{sections}{_method(definition)}{_errata(errata)}</main>{_footer(definition)}'
    )
    return _page(f"stemjax leaderboard, version {definition.version}", body, _asset("page.js"))


def record_page(track: Track, rankings: Sequence[Ranking], scores: dict[str, list[dict]]) -> bytes:
    """``leaderboard/TRACK.html``: every record of a track in full."""
    return _page(f"Records: {track.title}", record_articles(track, rankings, scores), "")


def _page(title: str, body: str, script: str) -> bytes:
    script = f"<script>\n{script}</script>\n" if script else ""
    parts = {"title": escape(title), "css": _asset("page.css"), "body": body, "script": script}
    return Template(_asset("page.html")).substitute(parts).encode()


def _asset(name: str) -> str:
    return files("stemjax.leaderboard").joinpath(name).read_text("utf-8")


# ---------------------------------------------------------------------------------------------------- above the tracks
def _header(definition: Benchmark, rankings: Sequence[Ranking]) -> str:
    records = {record["id"] for r in rankings for entry in r.entries for record in entry.records}
    state = (
        f"Version {definition.version}, frozen on {definition.published}."
        if definition.published
        else f"Version {definition.version} is a draft: tracks, data and rules may still change before it is frozen."
    )
    kind = "" if definition.published else " draft"
    filled = [r for r in rankings if r.entries]
    rows = "".join(_overview_row(r) for r in filled if r.board is r.track.boards[0])
    empty = [t.title for t in definition.tracks if not any(r.track is t for r in filled)]
    waiting = f'<p class="note">Without any record so far: {escape("; ".join(empty))}.</p>' if empty else ""
    heads = "<th class=text scope=col>Track<th class=text scope=col>Size<th class=text scope=col>Ahead"
    return f"""<header class="top"><h1>Denoising atomic-resolution micrographs</h1>
<p class="lede">The stemjax leaderboard: simulated data with known truth, the same noisy pixels and the same metric for
every method, and one checkable record behind every number ({len(records)} of them here).</p>
<p class="small{kind}">{state}</p>
<div class="scroll" tabindex="0"><table class="overview" role="table">
<thead><tr>{heads}<th scope=col>Value<th scope=col>Missing</tr></thead><tbody>
{rows}</tbody></table></div>{waiting}</header>
"""


def _overview_row(ranking: Ranking) -> str:
    first, missing = ranking.entries[0], len(ranking.missing)
    tied = [entry for entry in ranking.entries if entry.rank and entry.rank.rank == 1]
    if is_separate(ranking, first):
        ahead = f"<strong>{escape(first.method)}</strong>"
    elif len(tied) > 1:
        ahead = f"a tie of {len(tied)}: {escape('; '.join(entry.method for entry in tied))}"
    elif first.rank:
        once = "in its one training" if seeds(first) == 1 else "of rivals that were trained once"
        ahead = f"{escape(first.method)}, {once}"
    else:
        ahead = f"not ranked, {len(ranking.units)} {ranking.track.unit}s"
    ends = ""
    if first.low is not None:
        ends = f"<small>{value_text(ranking, first.low)} to {value_text(ranking, first.high)}</small>"
    title = (
        f'<a href="#{ranking.track.id}">{escape(ranking.track.title)}</a><small>{escape(ranking.board.title)}</small>'
    )
    value = f"{value_text(ranking, first.value)} {ranking.track.score['unit']}{ends}"
    return (
        f'<tr role="row"><th scope="row">{title}</th><td class="text size-cell">{ranking.size}</td>'
        f'<td class="text ahead">{ahead}</td>'
        f'<td>{value}</td><td class="lacking">{missing or "–"}</td></tr>'
    )


def _filters(definition: Benchmark) -> str:
    sizes = dict.fromkeys(size for track in definition.tracks for size in track.sizes)
    choices = {
        "track": {track.id: track.title for track in definition.tracks},
        "size": {size: size for size in sizes},
        **{name: {value: value for value in values} for name, values in _FILTERS.items()},
        "parameters": _PARAMETERS,
    }
    selects = "".join(
        f'<label>{name.capitalize()}<select name="{name}"><option value="">all</option>'
        + "".join(f'<option value="{value}">{escape(text)}</option>' for value, text in options.items())
        + "</select></label>"
        for name, options in choices.items()
    )
    return f"""<div class="filters needs-js"><form aria-label="Filters">{selects}<button type="reset">Show all</button>
<button type="button" data-download="csv">CSV of this view</button>
<button type="button" data-download="json">JSON</button>
<output aria-live="polite"></output></form></div>
"""


# ---------------------------------------------------------------------------------------------------- a track
def _section(
    definition: Benchmark, rankings: Sequence[Ranking], errata: list[dict], pictures: list[dict], results: Path
) -> str:
    track = rankings[0].track
    blocks = []
    for size in track.sizes:
        of_size = [ranking for ranking in rankings if ranking.size == size]
        if not any(ranking.entries for ranking in of_size):
            left_out = sum(len(ranking.left_out) for ranking in of_size)
            also = f" {left_out} records are left out: see data.json." if left_out else ""
            text = f"Size <b>{size}</b>: nothing yet. All {len(track.methods)} methods are missing here.{also}"
            blocks.append(f'<p class="none" data-size="{size}">{text}</p>')
            continue
        says = escape(track.sizes[size]["says"])
        named = [{"name": name, "recipe_hash": digest} for name, digest in track.sizes[size]["data"].items()]
        if sentence := remark([{"data_set": data} for data in named]):
            says = f"{says}. {escape(sentence).removesuffix('.')}"
        blocks.append(f'<p class="note" data-size="{size}"><b>Size {size}:</b> {says}.</p>')
        blocks += [board_html(ranking) for ranking in of_size[:_OPEN]]
        blocks += [_folded(ranking) for ranking in of_size[_OPEN:]]
        blocks.append(plots_html(of_size, results))
    wrong = "".join(
        f'<p class="draft">Erratum of {escape(e["date"])}: {escape(e["text"])}</p>'
        for e in errata
        if e["track"] == track.id
    )
    return f"""<section class="track" id="{track.id}">
<h2>{escape(track.title)}</h2><p class="lede">{escape(track.question)}</p>
{wrong}{"".join(blocks)}{compare_html(pictures, list(rankings))}{_facts(definition, track)}</section>
"""


def _folded(ranking: Ranking) -> str:
    """A ranking in one line, which opens."""
    inner = board_html(ranking)
    first = (
        f"{ranking.entries[0].method}, {value_text(ranking, ranking.entries[0].value)}"
        if ranking.entries
        else "nothing"
    )
    summary = (
        f"<summary><h3>{escape(ranking.board.title)}</h3> <span class=small>first: {escape(first)}</span></summary>"
    )
    return f'<details class="board" data-size="{ranking.size}">{summary}{inner}</details>'


def _facts(definition: Benchmark, track: Track) -> str:
    data = []
    for size, of_size in track.sizes.items():
        named = [
            markup("{} <span class=hash>{}</span>", name, digest or "no data set yet")
            for name, digest in of_size["data"].items()
        ]
        data.append(markup("{}: {}. {}", size, of_size["says"], Html(", ".join(named))))
    noise, held_out = track.noise, definition.held_out
    rules = [markup("<b>{}</b>: {}", rule["title"], rule["means"]) for rule in definition.rules.values()]
    facts = {
        "Data, recipe hash": Html("<br>".join(data)),
        "Noise": f"{noise['model']}; seed {noise['test_seed']}; on the validation split {noise['validation_seed']}",
        "Metric": markup("protocol <code>{}</code>. {}", track.protocol, track.contract),
        "Split": f"{track.split}; no method saw these {track.unit}s in training or tuning",
        "Unit of intervals": track.unit,
        "Rules": markup("{} Budget: {} settings.", Html("<br>".join(rules)), definition.budget),
        "Records": markup('<a href="leaderboard/{}.html">all records of this track in full</a>', track.id),
    }
    if held_out["track"] == track.id:
        version = held_out["later_version"]
        facts["Held-out set"] = f"not made yet: its seed will be the first commit after {version}, see below"
    listed = facts_list(facts)
    summary = "<summary>Data, noise, metric contract, split, rules</summary>"
    return f'<details class="facts">{summary}<dl class="facts">{listed}</dl></details>'


# ---------------------------------------------------------------------------------------------------- below
def _method(definition: Benchmark) -> str:
    s, h = definition.statistics, definition.held_out
    facts = {
        "Intervals": s["interval"],
        "Ranks": s["rank"],
        "Letters": s["letters"],
        "Bold": "a method told apart from every other one, where no method was trained only once",
        "Few units": s["below"],
        "Sizes": "cpu: narrower networks and coarser data, for two cores; gpu: the papers' sizes. Never mixed.",
        "Times": "only those that a benchmark measured with nothing beside it; no record claims a time",
        "Held-out set": f"{h['rule']} {h['limit']} {h['makes']} Command: {h['command']}",
    }
    listed = facts_list(facts)
    return f'<section class="track" id="method"><h2>How to read it</h2><dl class="facts">{listed}</dl></section>'


def _errata(errata: list[dict]) -> str:
    rows = "".join(f"<li>{escape(e['date'])}, {escape(e['track'])}: {escape(e['text'])}</li>" for e in errata)
    return (
        f'<section class="track" id="errata"><h2>Errata</h2>{f"<ul>{rows}</ul>" if rows else "<p>None.</p>"}</section>'
    )


def _footer(definition: Benchmark) -> str:
    return f"""<footer><p class="small">Everything: <a href="data.csv">data.csv</a>, <a href="data.json">data.json</a>,
<a href="benchmark.json">the definition</a>, <a href="records/">the records</a>. Made by
<code>stemjax leaderboard</code> from the records alone; <code>stemjax leaderboard --check</code> makes it again and
compares every byte.
Benchmark version {definition.version}.</p></footer>
"""
