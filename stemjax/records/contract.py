"""Which scores of a record mean what the metrics mean now: an old one takes on no new meaning, it is left out."""

from collections.abc import Iterable

from stemjax.metrics.image import METRICS_VERSION

# Version of the metrics -> endings of the scores that mean something else from then on.
CHANGED = {2: ("nrmse",)}


def outdated(record: dict, names: Iterable[str]) -> set[str]:
    """Those of some names of scores that meant something else when a record was made."""
    versions = range(record.get("metrics_version", 1) + 1, METRICS_VERSION + 1)
    endings = tuple(ending for version in versions for ending in CHANGED[version])
    return {name for name in names if name.endswith(endings)}


def comparable(record: dict) -> dict:
    """A record without the scores that meant something else: what tables and rankings see. It keeps its id."""
    if not (gone := outdated(record, record["scores"])):
        return record
    kept = {name: value for name, value in record["scores"].items() if name not in gone}
    ends = record["interval"] and {name: value for name, value in record["interval"].items() if name not in gone}
    return record | {"scores": kept, "interval": ends}
