"""`stemjax verify`: check a data set."""

import sys

from stemjax.cli.arguments import Folder


def verify(folder: Folder, /) -> int:
    """Check every file of a data set against its manifest; exits 1 if anything is missing or changed.

    Args:
        folder: Folder of the data set.
    """
    if not folder.is_dir():
        raise OSError(f"{folder}: no such folder; make a data set with `stemjax simulate`")
    from stemjax.data import datasets

    problems = datasets.verify(folder)
    for problem in problems:
        print(f"{folder}: {problem}", file=sys.stderr)
    if problems:
        print("`stemjax simulate` into the same folder remakes what is damaged", file=sys.stderr)
        return 1
    data = datasets.open_data_set(folder)
    count = len(data.manifest["files"])
    print(f"{folder}: sound ({data.name}, {len(data.items)} items, {count} files, recipe {data.recipe_hash})")
    return 0
