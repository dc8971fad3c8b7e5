"""Rankings for papers and for other tools: Markdown, LaTeX, and records under benchopt's column names."""

import csv
import io
from collections.abc import Iterator, Sequence

from stemjax.leaderboard.boards import value_text
from stemjax.leaderboard.entries import Ranking

FORMATS = ("markdown", "latex", "benchopt")
# Columns of benchopt's result files, https://benchopt.github.io: one row per run of a solver. No record claims a time,
# so `time` stays empty; `stop_val` is the only one that such a run has.
BENCHOPT = ("objective_name", "solver_name", "dataset_name", "idx_rep", "sampling_strategy", "stop_val", "time")
_SYSTEM = ("system-cpus", "system-processor", "version-numpy", "version-scipy")
_MORE = ("benchmark-git-tag", "run_date")
_LATEX = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}"}
_LATEX |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_LATEX |= {"²": r"\textsuperscript{2}", "₂": r"\textsubscript{2}", "Å": r"\AA{}", "–": "--", "−": "$-$"}
_LATEX |= {"<": r"\textless{}", ">": r"\textgreater{}"}


def export(rankings: Sequence[Ranking], form: str) -> str:
    """The rankings that have rows, as text in one of `FORMATS`.

    Raises
    ------
    ValueError
        If none has a row.
    """
    filled = [ranking for ranking in rankings if ranking.entries]
    if not filled:
        raise ValueError("these rankings have no record yet: there is nothing to export")
    if form == "benchopt":
        return benchopt_csv(filled)
    write = markdown_table if form == "markdown" else latex_table
    return "\n".join(write(ranking) for ranking in filled)


def markdown_table(ranking: Ranking) -> str:
    """A ranking as a Markdown table under its title."""
    heads, *rows = _cells(ranking)
    lines = [f"**{_caption(ranking)}**", "", _line(heads), _line(["---"] + ["---:"] * (len(heads) - 1))]
    return "\n".join([*lines, *map(_line, rows), "", _note(ranking), ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def latex_table(ranking: Ranking) -> str:
    """A ranking as a LaTeX table; needs the package booktabs."""
    heads, *rows = _cells(ranking)
    body = [" & ".join(map(_escaped, row)) + r" \\" for row in rows]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_escaped(_caption(ranking))}. {_escaped(_note(ranking))}}}",
            rf"\label{{tab:{ranking.track.id}-{ranking.board.id}-{ranking.size}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}",
            r"\toprule",
            " & ".join(map(_escaped, heads)) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)


def _caption(ranking: Ranking) -> str:
    return f"{ranking.track.title}: {ranking.board.title}, size {ranking.size}"


def _note(ranking: Ranking) -> str:
    interval = (
        f"95 % interval over {len(ranking.units)} {ranking.track.unit}s; methods that share a letter are not told"
    )
    text = f"{interval} apart" if ranking.is_ranked else f"{len(ranking.units)} {ranking.track.unit}s: no ranks"
    missing = f". Not run: {', '.join(ranking.missing)}" if ranking.missing else ""
    return f"{text}{missing}."


def _cells(ranking: Ranking) -> Iterator[list[str]]:
    """Headings and rows as text."""
    score = ranking.track.score
    label = f"{score['label']} [{score['unit']}]" if score["unit"] else score["label"]
    yield ["Method", *(["Rank"] * ranking.is_ranked), label, "95 % interval", "Parameters", "Rules"]
    for entry in ranking.entries:
        ends = "" if entry.low is None else f"{value_text(ranking, entry.low)} to {value_text(ranking, entry.high)}"
        rank = [f"{entry.rank.rank} {entry.rank.letters}"] if entry.rank else [""] * ranking.is_ranked
        value, parameters = value_text(ranking, entry.value), f"{entry.parameters:,}" if entry.parameters else "–"
        yield [entry.method, *rank, value, ends, parameters, entry.rules]


# ---------------------------------------------------------------------------------------------------- benchopt
def benchopt_csv(rankings: Sequence[Ranking]) -> str:
    """Records as rows of benchopt's result files, CSV: one per record, its scores as ``objective_...``."""
    rows = list(_benchopt_rows(rankings))
    scores = list(dict.fromkeys(name for row in rows for name in row if name.startswith("objective_")))
    settings = sorted({name for row in rows for name in row if name.startswith("p_")})
    named = [name for name in scores if name != "objective_name"]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, (*BENCHOPT, *named, *settings, *_SYSTEM, *_MORE), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _benchopt_rows(rankings: Sequence[Ranking]) -> Iterator[dict]:
    seen = set()
    for ranking in rankings:
        for record in (record for entry in ranking.entries for record in entry.records):
            if record["id"] in seen:
                continue
            seen.add(record["id"])
            hardware, software, conditions = record["hardware"], record["software"], record["conditions"]
            given = ",".join(f"{name}={value}" for name, value in sorted(conditions.items()))
            yield {
                "objective_name": f"{ranking.track.id}[protocol={record['protocol']}]",
                "solver_name": record["method"],
                "dataset_name": f"{record['data_set']['name']}-{record['size']}{f'[{given}]' if given else ''}",
                "idx_rep": record["seed"] or 0,
                "sampling_strategy": "run_once",
                "stop_val": 1,
                "objective_value": record["scores"][ranking.score],
                **{f"objective_{name}": value for name, value in record["scores"].items()},
                **{f"p_dataset_{name}": value for name, value in conditions.items()},
                "p_dataset_recipe_hash": record["data_set"]["recipe_hash"],
                "p_solver_parameters": record["parameters"],
                "p_solver_record": record["id"],
                "system-cpus": hardware["cores"],
                "system-processor": hardware["cpu"],
                "version-numpy": software["numpy"],
                "version-scipy": software["scipy"],
                "benchmark-git-tag": record["code"]["commit"] or record["code"]["version"],
                "run_date": record["time_utc"],
            }
