"""`stemjax tables`: render the tables from the records."""

import sys
from pathlib import Path
from typing import Annotated

from stemjax.cli.arguments import Flag, named
from stemjax.cli.experiment import from_checkout


def tables(results: Annotated[Path, named("FOLDER")] = Path("results"), check: Flag = False) -> int:
    """Render every table of a results folder from its records, as Markdown and CSV, in a checkout of the project.

    Args:
        results: Folder that holds `records`; the tables go to `tables` beside them. Default: results.
        check: Write nothing; exit 1 if a table differs from what the records say.

    Exits 2 if there are no records.
    """
    if not any((results / "records").glob("*.jsonl")):
        raise OSError(f"{results}: no records here, so no tables; `stemjax experiment run NAME` makes some")
    from stemjax import tables as library

    table_of = from_checkout().table_of  # a table's function stands beside the experiment that records for it
    if check:
        problems = library.check(results, table_of)
        for problem in problems:
            print(f"error: {problem}", file=sys.stderr)
        if not problems:
            print(f"{results}: every table is what the records say")
        return 1 if problems else 0
    for path in library.write(results, table_of):
        print(path)
    return 0
