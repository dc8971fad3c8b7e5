"""Records: a number exists only as one line of JSON that says where it comes from.

    results/records/<experiment>.jsonl     one record per line, added and never edited
    results/records/scores/<id[:16]>.csv   its score on every image
    results/records/index.txt              the id of every record, so that a missing one is noticed

The id of a record is the sha256 of its canonical JSON without the id, and the record holds the sha256 of its scores:
any edit shows. A correction is a new record that names the one it supersedes.
"""

from stemjax.records.code import code_version, commit_of
from stemjax.records.making import new_record
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
from stemjax.records.store import append, audit, current, load, load_scores, scores_path

__all__ = [
    "BENCHMARK_VERSION",
    "CARD_CLASS",
    "IDENTITY",
    "PROTOCOLS",
    "RANGES",
    "SIZES",
    "append",
    "audit",
    "code_version",
    "commit_of",
    "current",
    "find_faults",
    "is_submission",
    "load",
    "load_scores",
    "new_record",
    "record_id",
    "scores_path",
]
