"""Records: a number exists only as one line of JSON that says where it comes from.

    results/records/<experiment>.jsonl     one record per line, added and never edited
    results/records/scores/<id[:16]>.csv   its score on every image
    results/records/index.txt              the id of every record, so that a missing one is noticed

The id of a record is the sha256 of its canonical JSON without the id, and the record holds the sha256 of its scores:
any edit shows. A correction is a new record that names the one it supersedes. Where a metric changes, records of before
keep their scores and what these meant: `current` and `load_scores` leave them out of tables and rankings.
"""

from stemjax.records.code import code_version, commit_of
from stemjax.records.contract import comparable
from stemjax.records.making import derived_record, new_record
from stemjax.records.schema import (
    BENCHMARK_VERSION,
    CARD_CLASS,
    IDENTITY,
    PROTOCOLS,
    RANGES,
    SIZES,
    find_faults,
    is_submission,
    record_id,
)
from stemjax.records.store import (
    append,
    append_all,
    audit,
    current,
    load,
    load_scores,
    origins,
    scores_path,
    standing,
    stored_scores,
)

__all__ = [
    "BENCHMARK_VERSION",
    "CARD_CLASS",
    "IDENTITY",
    "PROTOCOLS",
    "RANGES",
    "SIZES",
    "append",
    "append_all",
    "audit",
    "code_version",
    "commit_of",
    "comparable",
    "current",
    "derived_record",
    "find_faults",
    "is_submission",
    "load",
    "load_scores",
    "new_record",
    "origins",
    "record_id",
    "scores_path",
    "standing",
    "stored_scores",
]
