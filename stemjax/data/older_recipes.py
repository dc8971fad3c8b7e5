"""Recipes of data sets that are no more: their hashes, and what was wrong with them.

A folder of such a recipe is refused by name, a table of such records says so, and no table mixes them with others.
"""

from collections.abc import Sequence

_TWO_COLUMNS = (
    "the particles PtNp1 and PtNp2 had a column too many, at the left end of the fourth row, and atoms that a column "
    "lost were missing at its entrance face"
)
OLDER = dict.fromkeys(
    (
        *("b6f0520982e4a2b3", "41467828fe096be2", "9f62946da43ebbc1"),  # pt-ceo2: smoke, cpu, gpu
        *("ecb8d1cefe823ccb", "078881954dca7f62"),  # pt-ceo2-surface: smoke, cpu and gpu
        *("e1a495e48fb18bd2", "29958227374aa553", "185b7a740a1161d2"),  # movies-pt
        *("76f2122ca0d9f5e2", "0c235eccd986edb7", "c7d949eff8044571"),  # movies-sbd
    ),
    _TWO_COLUMNS,
)


def of_one_recipe(records: Sequence[dict]) -> list[dict]:
    """The records without those of an older recipe wherever the same data set has newer ones."""
    newer = {record["data_set"]["name"] for record in records if record["data_set"]["recipe_hash"] not in OLDER}
    return [r for r in records if r["data_set"]["recipe_hash"] not in OLDER or r["data_set"]["name"] not in newer]


def remark(records: Sequence[dict], left_out: int = 0) -> str:
    """What a reader must know of records of older recipes; empty if there are none.

    Parameters
    ----------
    left_out : int
        Records that `of_one_recipe` took away.
    """
    named = {(record["data_set"]["name"], record["data_set"]["recipe_hash"]) for record in records}
    older = sorted((name, recipe) for name, recipe in named if recipe in OLDER)
    sentences = []
    if older:
        which = ", ".join(f"{name} {recipe}" for name, recipe in older)
        reasons = "; ".join(dict.fromkeys(OLDER[recipe] for _, recipe in older))
        sentences.append(f"Recorded on data of an older recipe ({which}): {reasons}. To be recorded anew.")
    if left_out:
        rows = "1 record of an older recipe is" if left_out == 1 else f"{left_out} records of an older recipe are"
        sentences.append(f"{rows} left out until recorded anew.")
    return " ".join(sentences)
