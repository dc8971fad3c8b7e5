"""What records of before mean now: scores whose metric has changed are left out, rows have their clearest label.

No record is edited. An old score takes on no new meaning; a row that has a clearer name is the same row.
"""

from collections.abc import Iterable

from stemjax.metrics.image import METRICS_VERSION

# Version of the metrics -> endings of the scores that mean something else from then on.
CHANGED = {2: ("nrmse",)}

# Labels that said too little -> those of the same rows now. A "size" could have been that of a window.
RELABELLED = {
    f"Gaussian filter, {old}": f"Gaussian filter, {new}"
    for old, new in {
        "2-D, size 3": "2-D, sigma 3",
        "3-D, size 3": "3-D, sigma 3",
        "size 3": "sigma 3",
        "size 8": "sigma 8",
    }.items()
}


def outdated(record: dict, names: Iterable[str]) -> set[str]:
    """Those of some names of scores that meant something else when a record was made."""
    versions = range(record.get("metrics_version", 1) + 1, METRICS_VERSION + 1)
    endings = tuple(ending for version in versions for ending in CHANGED[version])
    return {name for name in names if name.endswith(endings)}


def comparable(record: dict) -> dict:
    """A record as tables and rankings see it: by its label of now, without scores that meant something else.

    It keeps its id.
    """
    record = record | {"method": RELABELLED.get(record["method"], record["method"])}
    if not (gone := outdated(record, record["scores"])):
        return record
    kept = {name: value for name, value in record["scores"].items() if name not in gone}
    ends = record["interval"] and {name: value for name, value in record["interval"].items() if name not in gone}
    return record | {"scores": kept, "interval": ends}
