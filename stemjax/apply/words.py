"""What the library says to people at a command line, said to people in Python."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

_OPTION = re.compile(r"--([a-z][a-z-]*)(?: ([A-Z]{2,4}|\d[\d.]*)\b)?")


def in_python(text: str) -> str:
    """The text with keywords in place of options.

    Examples
    --------
    >>> in_python("say --axes HWC for channels, try --bin 4, or --fill-nonfinite")
    'say axes="HWC" for channels, try bin=4, or fill_nonfinite='
    """
    return _OPTION.sub(_keyword, text)


def _keyword(option: re.Match) -> str:
    name, value = option[1].replace("-", "_"), option[2] or ""
    if name == "train":
        return "stemjax.train"
    return f'{name}="{value}"' if value.isalpha() and value else f"{name}={value}"


def speaks_python(function: Callable) -> Callable:
    """A public function whose errors name its keywords, where those of the library name options."""

    @wraps(function)
    def spoken(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (OSError, ValueError) as error:
            if len(error.args) == 1 and isinstance(error.args[0], str):
                error.args = (in_python(error.args[0]),)
            raise

    return spoken
