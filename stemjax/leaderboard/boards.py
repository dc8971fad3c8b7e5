"""A ranking as an HTML table: readable without JavaScript, sortable with it."""

import math
from html import escape

from stemjax.leaderboard.data import of_entry, seeds
from stemjax.leaderboard.entries import Entry, Ranking
from stemjax.leaderboard.svg import interval_bar
from stemjax.metrics.bootstrap import FEWEST_UNITS
from stemjax.records import is_submission

LABELS = {
    "psnr_db": "PSNR [dB]",
    "ssim": "SSIM",
    "nrmse": "NRMSE",
    "contrast": "Contrast",
    "surface_precision": "Precision",
    "surface_recall": "Recall",
}
_CARRIED = ("method", "value", "low", "high", "rank", "letters", "family", "supervision")
_CARRIED += ("rules", "settings", "parameters", "seeds")
_OFTEN_ZERO = ("settings", "parameters", "seeds")  # a row without these attributes has 0
_TEXTS = ("method", "rules", "records")


def board_html(ranking: Ranking) -> str:
    """Heading, table, values of the units where there are too few of them, and what is left out."""
    track, board = ranking.track, ranking.board
    name = f"{track.id}-{board.id}-{ranking.size}"
    head = f'<h3>{escape(board.title)}</h3> <span class="size">size {ranking.size}</span>'
    if not ranking.entries:
        sentence = (
            f"<strong>Missing:</strong> none of the {len(ranking.missing)} methods has a record at this size yet."
        )
        rest = f'<p class="none">{sentence} {_left_out(ranking)}</p>'
        return f'<div class="board" id="{name}" data-size="{ranking.size}"><header>{head}</header>{rest}</div>'
    images = f"{ranking.entries[0].images} images of {len(ranking.units)} {track.unit}s"
    head += f' <span class="small">{images}</span>'
    table = _table(ranking, f"{track.title}: {board.title}, size {ranking.size}")
    rest = f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(board.title)}">{table}</div>'
    if len(ranking.units) < FEWEST_UNITS:
        rest += _units(ranking)
    if ranking.left_out:
        rest += f'<p class="note">{_left_out(ranking)}</p>'
    return f'<div class="board" id="{name}" data-size="{ranking.size}"><header>{head}</header>{rest}</div>'


def value_text(ranking: Ranking, value: float | None) -> str:
    """A value as the track prints it."""
    if value is None:
        return ""
    if math.isinf(value):
        return "not reached"
    if value == 0 and "reaches" in ranking.track.score:
        return "below the lowest"
    return f"{value:.{ranking.track.score['digits']}f}".replace("-", "−")


def is_separate(ranking: Ranking, entry: Entry) -> bool:
    """Whether a row leads beyond doubt: told apart from every other one, where no row's luck of training is unknown."""
    leads = entry.rank is not None and entry.rank.rank == 1 and entry.rank.is_separate
    return leads and all(seeds(row) != 1 for row in ranking.entries)


def record_link(ranking: Ranking, record: dict) -> str:
    """The address of a record."""
    return f"leaderboard/{ranking.track.id}.html#{record['id'][:16]}"


def _table(ranking: Ranking, caption: str) -> str:
    score, first = ranking.track.score, "descending" if ranking.track.score["better"] == "higher" else "ascending"
    label = f"{score['label']} [{score['unit']}]" if score["unit"] else score["label"]
    also = _further(ranking)
    columns = [("Rank", "ascending", "rank", "none")] * ranking.is_ranked
    columns += [("Method", "ascending", "method", "none"), (label, first, "value", first)]
    columns += [("", "", "", "")] * any(entry.low is not None for entry in ranking.entries)
    columns += [(_label(name), "descending" if "nrmse" not in name else "ascending", "", "none") for name in also]
    columns += [("Parameters", "ascending", "parameters", "none"), ("Rules", "ascending", "rules", "none")]
    columns += [("Trainings", "descending", "seeds", "none"), ("Records", "", "records", "")]
    heads = "".join(_heading(*column) for column in columns)
    rows = "".join(_row(ranking, entry, _domain(ranking)) for entry in ranking.entries)
    bodies = f"<tbody>{rows}</tbody>{_missing(ranking, len(columns))}{_published(ranking, len(columns))}"
    hidden = f'<caption class="skip">{escape(caption)}</caption>'
    place = f'data-track="{ranking.track.id}" data-board="{ranking.board.id}"'
    return f"<table {place}>{hidden}<thead><tr>{heads}</tr></thead>{bodies}</table>"


def _heading(label: str, first: str, by: str, sorted_: str) -> str:
    """A column's head; its button sorts `by` an attribute of the rows, or by what their cells show."""
    text = ' class="text"' if by in _TEXTS else ""
    if not first:
        return f'<th scope="col"{text}>{escape(label) or "<span class=skip>Interval</span>"}</th>'
    named = f' data-by="{by}"' if by else ""
    attributes = f'{text} data-first="{first}"{named} aria-sort="{sorted_}"'
    return f'<th scope="col"{attributes}><button>{_with_unit(label)}</button></th>'


def _with_unit(label: str) -> str:
    name, bracket, unit = escape(label).partition("[")
    return f'{name}<span class="unit">[{unit}</span>' if bracket else name


def _row(ranking: Ranking, entry: Entry, domain: tuple[float, float]) -> str:
    row, rank = of_entry(ranking, entry), entry.rank
    carried = {name.replace("_", "-"): row.get(name) for name in _CARRIED}
    carried |= {"rank-low": row.get("rank_low"), "rank-high": row.get("rank_high")}
    carried = {name: v for name, v in carried.items() if v not in (None, "") and (v or name not in _OFTEN_ZERO)}
    data = "".join(f' data-{name}="{escape(str(v))}"' for name, v in carried.items())
    classes = ["separate"] * is_separate(ranking, entry) + ["bar-row"] * (entry.method in ranking.track.bars)
    cells = []
    if ranking.is_ranked:
        span = f"{rank.low}–{rank.high}" if rank.low < rank.high else f"{rank.low}"
        letters = f'<span class="letters">{rank.letters}</span>'
        cells.append(f"<td>{rank.rank}{letters}<small>{span}</small>")
    kind = entry.family if entry.supervision == "none" else f"{entry.family}, {entry.supervision}"
    if is_submission(entry.records[0]):
        kind += f"; submitted by {entry.records[0]['denoiser']['authors']}"
    name = f"{escape(entry.method)}<small>{escape(kind)}</small>"
    cells.append(f'<th scope="row">{name}')
    ends = ""
    if entry.low is not None:
        ends = f"<small>{value_text(ranking, entry.low)} to {value_text(ranking, entry.high)}</small>"
    cells.append(f'<td class="value">{value_text(ranking, entry.value)}{ends}')
    if any(e.low is not None for e in ranking.entries):
        cells.append(f"<td>{_bar(entry, domain)}")
    for score in _further(ranking):
        value = entry.also.get(score)  # a submission has no score that only the project's own experiments take
        text = "–" if value is None else f"{value:.{2 if score.endswith('_db') else 3}f}"
        cells.append(f"<td>{text}")
    cells.append(f"<td>{f'{entry.parameters:,}' if entry.parameters else '–'}")
    tried = f"<small>{entry.settings} settings</small>" if entry.settings else ""
    cells.append(f'<td class="text">{entry.rules}{tried}')
    cells.append(f"<td>{_trainings(ranking, entry)}")
    links = " ".join(f'<a href="{record_link(ranking, r)}">{r["id"][:6]}</a>' for r in entry.records)
    cells.append(f'<td class="text links">{links}')
    marked = f' class="{" ".join(classes)}"' if classes else ""
    return f"<tr data-row{marked}{data}>{''.join(cells)}\n"


def _further(ranking: Ranking) -> list[str]:
    """Scores beside that of the track which any row has."""
    return list(dict.fromkeys(name for entry in ranking.entries for name in entry.also))


def _bar(entry: Entry, domain: tuple[float, float]) -> str:
    return "" if math.isinf(entry.value) else interval_bar(entry.value, entry.low, entry.high, domain)


def _domain(ranking: Ranking) -> tuple[float, float]:
    """The scale of the interval bars: without the rows to beat, which would press the others together."""
    rows = [e for e in ranking.entries if e.method not in ranking.track.bars] or ranking.entries
    ends = [v for e in rows for v in (e.value, e.low, e.high) if v is not None and math.isfinite(v)]
    return min(ends), max(ends)


def _trainings(ranking: Ranking, entry: Entry) -> str:
    if not seeds(entry):
        return "–"
    values = entry.seed_values
    spread = ""
    if len(values) > 1:
        spread = f"<small>{value_text(ranking, min(values))} to {value_text(ranking, max(values))}</small>"
    return f"{seeds(entry)}{spread or '<small>spread unknown</small>'}"


def _missing(ranking: Ranking, columns: int) -> str:
    if not ranking.missing:
        return ""
    lead = "<td></td>" * ranking.is_ranked
    rest = f'<td>not run</td><td colspan="{columns - 2 - ranking.is_ranked}"></td>'
    rows = "".join(f'<tr>{lead}<th scope="row">{escape(method)}</th>{rest}</tr>' for method in ranking.missing)
    return f'<tbody class="missing">{rows}</tbody>'


def _published(ranking: Ranking, columns: int) -> str:
    if not ranking.published:
        return ""
    lead, rest = "<td></td>" * ranking.is_ranked, columns - 2 - ranking.is_ranked
    rows = []
    for row in ranking.published:
        text = f"{row.source}{f', {row.parameters} parameters' if row.parameters else ''}"
        value = f'<td>{value_text(ranking, row.value)}</td><td colspan="{rest}" class="text">{escape(text)}</td>'
        rows.append(f'<tr>{lead}<th scope="row">{escape(row.method)}</th>{value}</tr>')
    text = "Printed in the papers: other images, other networks. Not ranked, and not to be compared in decibels."
    heading = f'<tr class="heading"><td colspan="{columns}"><span>{text}</span></td></tr>'
    return f'<tbody class="published">{heading}{"".join(rows)}</tbody>'


def _units(ranking: Ranking) -> str:
    """The value of every unit, where there are too few for an interval."""
    heads = "".join(f'<th scope="col">{escape(unit)}</th>' for unit in ranking.units)
    rows = "".join(
        f'<tr><th scope="row">{escape(e.method)}</th>'
        + "".join(f"<td>{value_text(ranking, value)}</td>" for value in e.unit_values.values())
        + "</tr>"
        for e in ranking.entries
    )
    sentence = (
        f"{len(ranking.units)} {ranking.track.unit}s, fewer than {FEWEST_UNITS}: the value of each, and no ranks."
    )
    table = (
        f'<table><thead><tr><th class="text" scope="col">Method</th>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    )
    return f'<p class="note">{sentence}</p><div class="scroll" tabindex="0">{table}</div>'


def _left_out(ranking: Ranking) -> str:
    if not ranking.left_out:
        return ""
    rows = "; ".join(f"{escape(r['method'])} (record {r['id'][:16]}): {escape(why)}" for r, why in ranking.left_out)
    return f"Left out, because they measure something else: {rows}."


def _label(name: str) -> str:
    bare = name.removeprefix("strict_").removeprefix("adf_").removeprefix("bf_")
    return LABELS.get(bare, bare)
