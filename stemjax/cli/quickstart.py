"""`stemjax quickstart`: from atoms to a table of denoisers, in a few minutes."""

from pathlib import Path
from typing import Annotated

from stemjax.cli.arguments import named


def quickstart(out: Annotated[Path, named("FOLDER")] = Path("quickstart")) -> int:
    """Simulate Pt/CeO2 micrographs, train a small network on them, and compare it with classical filters.

    Args:
        out: Folder of everything it makes. Default: quickstart. Run again, it goes on where it stopped.
    """
    from stemjax.cli.experiment import from_checkout

    from_checkout()
    from experiments import quickstart

    return quickstart.show(out)
