"""The command `stemjax`: one file per verb, and one line here.

A verb lives in the module of its name, as the function of its name (or a dict of functions, its sub-verbs). Its
arguments and its help are the function's signature and docstring; it returns the exit status, None for success. The
sub-verb "" is what the verb does without one.
"""

import io
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr
from contextvars import ContextVar
from functools import partial, wraps
from importlib import import_module

VERBS = {
    "quickstart": "from atoms to a first table of denoisers, in minutes",
    "denoise": "denoise images and movies: TIFF, npy, microscope formats",
    "models": "list the models; show one: layers, training, scores",
    "simulate": "make a data set of simulated micrographs; export it as images",
    "verify": "check every file of a data set against its manifest",
    "train": "train a model on a data set, or go on with it",
    "evaluate": "score a model on the test structures of a data set",
    "experiment": "regenerate published tables and figures",
    "ablate": "compare networks, widths, crops and losses, trained alike",
    "tables": "render the tables from the records, or check them",
    "leaderboard": "render the public leaderboard from the records, or check it",
    "doctor": "show what stemjax finds on this machine; examine a movie's noise",
}
HELP = """usage: stemjax VERB ...

Simulate, train, denoise and rank: benchmarks of denoising for atomic-resolution electron microscopy.

{verbs}

  stemjax VERB --help    what a verb takes
  stemjax --version      the version
  --traceback            with any verb: show where an error arose (also: STEMJAX_TRACEBACK=1)

example: stemjax denoise micrograph.tif --png
"""
_TRACEBACK = ContextVar("traceback", default=False)  # whether this call shows where an error arose
FAULTS = (OSError, ValueError, MemoryError, FloatingPointError)  # what the library raises with a line for the user


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns the exit status: 2 after an error, which is one line on stderr."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    _TRACEBACK.set("--traceback" in arguments or bool(os.environ.get("STEMJAX_TRACEBACK")))
    arguments = [argument for argument in arguments if argument != "--traceback"]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(HELP.format(verbs="\n".join(f"  {verb:<12}{about}" for verb, about in VERBS.items())), end="")
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from stemjax import __version__

        print(f"stemjax {__version__}")
        return 0
    verb, *rest = arguments
    if verb not in VERBS:
        return fail(f"no verb {verb!r}{_nearest(verb, VERBS)} `stemjax --help` lists them")
    try:
        return _run(verb, rest) or 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as after `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except FAULTS as error:
        if _TRACEBACK.get():
            raise
        return fail(error)


def fail(reason: object, error: Exception | None = None) -> int:
    """Print an error as one line, with `--traceback` after where `error` arose; returns the exit status for it."""
    if error is not None and _TRACEBACK.get():
        traceback.print_exception(error)
    text = str(reason)
    if isinstance(reason, OSError) and reason.filename and reason.strerror:
        text = f"{reason.filename}: {reason.strerror}"  # without Python's number of the error
    print("error:", " ".join(text.split()) or type(reason).__name__, file=sys.stderr)
    return 2


def _run(verb: str, arguments: list[str]) -> int | None:
    import tyro

    command = getattr(import_module(f"stemjax.cli.{verb.replace('-', '_')}"), verb.replace("-", "_"))
    if not {"-h", "--help"} & set(arguments):
        from stemjax.training.compilation_cache import enable_compilation_cache

        enable_compilation_cache()
    also = ""
    if isinstance(command, dict) and "" in command:
        named = ", ".join(filter(None, command))
        chosen = arguments.pop(0) if arguments and not arguments[0].startswith("-") else ""
        if chosen not in command:
            raise ValueError(f"{verb} has no verb {chosen!r}{_nearest(chosen, command)} see `stemjax {verb} --help`")
        also = f"Verbs of its own, each with --help: {named}" if not chosen else ""
        verb, command = f"{verb} {chosen}".rstrip(), command[chosen]
    settings = {"prog": f"stemjax {verb}", "args": arguments, "config": (tyro.conf.FlagCreatePairsOff,)}
    said = io.StringIO()
    try:
        with redirect_stderr(said):  # tyro draws its errors in a box
            if isinstance(command, dict):
                chosen = {name: _later(function) for name, function in command.items()}
                call = tyro.extras.subcommand_cli_from_dict(chosen, **settings)
            else:
                call = tyro.cli(_later(command), **settings)
    except SystemExit as stop:
        if not stop.code:
            print(also, end="\n" * bool(also))
            return 0
        raise ValueError(f"{_plain(said.getvalue())}; see `stemjax {verb} --help`") from None
    return call()


def _later(function: Callable) -> Callable:
    """The function with its signature, but only putting the call off: arguments are read first, and judged."""

    @wraps(function)
    def put_off(*arguments, **options):
        return partial(function, *arguments, **options)

    return put_off


def _plain(box: str) -> str:
    """What an error box of tyro says, on one line and without what follows its first rule."""
    lines = [re.sub(r"[╭╮╰╯│─]+", " ", line) for line in re.split(r"\n│ ─+ │\n", box)[0].splitlines()[1:]]
    return " ".join(" ".join(lines).split()).rstrip(".") or "the arguments could not be understood"


def _nearest(verb: str, verbs: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(verb, list(verbs), 1)
    return f": did you mean {near[0]!r}?" if near else ";"
