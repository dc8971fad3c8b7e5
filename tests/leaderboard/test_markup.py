"""What a record says is text on every page, whatever it says."""

import re
from dataclasses import replace
from html import escape

import pytest

from stemjax import leaderboard, records
from stemjax.leaderboard.markup import Html, facts_list, markup
from tests.toys.board import make_results

SCRIPT = "\"'><script>alert(1)</script>"


def test_only_what_is_marked_is_html():
    assert markup("<b>{}</b> {}", "a < b", Html("<i>c</i>")) == "<b>a &lt; b</b> <i>c</i>"
    assert (
        facts_list({"A": "<", "B": markup("<i>{}</i>", ">")}) == "<dt>A</dt><dd>&lt;</dd><dt>B</dt><dd><i>&gt;</i></dd>"
    )
    assert type(f"{Html('<b>')}") is str  # a text that holds HTML is no longer marked: it shows, and does no harm


def with_script(value, kept=("id",)):
    """The value with a script in every text in it, names of facts included where they are not those of the schema."""
    if isinstance(value, dict):
        return {name: part if name in kept else with_script(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(with_script(part) for part in value)
    return f"{value}{SCRIPT}" if isinstance(value, str) else value


@pytest.mark.parametrize("units", [9, 12], ids=["few units, without ranks", "ranks"])
@pytest.mark.parametrize("is_submitted", [False, True])
def test_a_script_in_every_text_of_a_record_is_shown_and_not_run(monkeypatch, tmp_path, units, is_submitted):
    """The texts are changed after records were checked and ranked, so that no check has to let them through."""
    folder, ranked, loaded = make_results(tmp_path, units), leaderboard.rankings, records.load_scores

    def poisoned_record(record: dict) -> dict:
        record = with_script(record) | {"units": with_script(record["units"])}
        for name in ("conditions", "software"):
            record[name] |= {SCRIPT: SCRIPT}
        record["hardware"] = {"cpu": SCRIPT, "cores": SCRIPT, "devices": {SCRIPT: 1}}
        record["tuning"] = {SCRIPT: {"values": [SCRIPT], "validation_psnr_db": [1.0], "chosen": SCRIPT}}
        if is_submitted:
            record["denoiser"] = {"class": records.schema.CARD_CLASS, "authors": SCRIPT, "settings": 3}
        return record

    def poisoned(*arguments):
        for one in ranked(*arguments):
            rows = [
                replace(
                    entry,
                    method=entry.method + SCRIPT,
                    records=tuple(map(poisoned_record, entry.records)),
                    unit_values=with_script(dict(entry.unit_values)),
                )
                for entry in one.entries
            ]
            left_out = [(poisoned_record(rows[0].records[0]), SCRIPT)] if rows else []
            yield replace(one, entries=tuple(rows), missing=with_script(tuple(one.missing)), left_out=tuple(left_out))

    monkeypatch.setattr(leaderboard, "rankings", poisoned)
    monkeypatch.setattr(records, "load_scores", lambda *arguments: with_script(loaded(*arguments)))
    pages = {path.name: page.decode() for path, page in leaderboard.render(folder).items() if path.suffix == ".html"}
    assert set(pages) == {"index.html", "pt-ceo2.html"}
    for name, page in pages.items():
        assert escape(SCRIPT) in page and SCRIPT not in page
        assert page.count("<script") == (name == "index.html")  # its own
        assert not re.search(r"<script>alert", page)
