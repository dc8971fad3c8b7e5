"""How arguments look in the help of a verb."""

from pathlib import Path
from typing import Annotated

import tyro


def named(metavar: str):
    """Annotation: what stands for the value in the help; the default is told in the text, where it is worth knowing."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


def with_default(metavar: str):
    """Annotation: as `named`, but the help also shows the default."""
    return tyro.conf.arg(metavar=metavar)


Flag = Annotated[bool, tyro.conf.arg(help_behavior_hint="")]
Folder = Annotated[Path, named("FOLDER")]
Files = Annotated[tuple[Path, ...], tyro.conf.Positional, named("FILE...")]
Count = Annotated[int, named("N")]
MaybeCount = Annotated[int | None, named("N")]
Settings = Annotated[tuple[str, ...], tyro.conf.UseAppendAction, named("FIELD=VALUE")]
