"""The code that a record was made with: its commit, and what stays the same where a history is written again."""

import re
import subprocess
from pathlib import Path

from stemjax import __version__

PACKAGES = ("experiments", "simulation", "stemjax")
ROOT = Path(__file__).resolve().parents[2]
NAME = r"\w[\w.-]*"  # of a commit or a tag


def code_version(root: str | Path = ROOT) -> dict:
    """What this checkout is; without git, or of an installed package, the version alone is known.

    Returns
    -------
    dict
        `version`; `commit`, after the tag before it, if any; `dirty`, whether files differ from it; and `trees`, the
        hash that git gives the contents of each package: where a commit gets another name, as by a rebase that leaves
        them as they are, they have the same.
    """
    commit = dirty = None
    trees = {}
    if (Path(root) / ".git").exists():
        try:
            commit = _git(root, "describe", "--always", "--tags", "--abbrev=40", "--match=v*")
            # Writing records must not make the next one dirty.
            dirty = bool(_git(root, "status", "--porcelain", "--", ".", ":!results"))
            there = _git(root, "ls-tree", "HEAD", *PACKAGES)
            trees = {path: tree for _, _, tree, path in map(str.split, there.splitlines())}
        except (OSError, subprocess.SubprocessError):
            pass  # no git on this machine, or no commit yet
    return {"version": __version__, "commit": commit, "dirty": dirty} | ({"trees": trees} if trees else {})


def commit_of(code: dict, root: str | Path = ROOT) -> str | None:
    """The commit in this checkout's history that has the code of a record.

    Parameters
    ----------
    code : dict
        See `code_version`.

    Returns
    -------
    str or None
        The record's own commit where the history has it, or else the newest one with the same packages; None if there
        is neither, or no git.
    """
    own, trees = (code["commit"] or "").rpartition("-g")[2], code.get("trees", {})
    if not (Path(root) / ".git").exists():
        return None
    try:
        history = _git(root, "rev-list", "HEAD").split()
        # On a version's own commit the name is that of the tag.
        known = _git(root, "rev-list", "--max-count=1", "--ignore-missing", own) if re.fullmatch(NAME, own) else ""
        if known in history:
            return known
        if not trees:
            return None
        wanted = "".join(f"{commit}:{name}\n" for commit in history for name in trees)
        objects = _git(root, "cat-file", "--batch-check=%(objectname)", text=wanted).splitlines()
    except (OSError, subprocess.SubprocessError):
        return None
    each = [objects[start : start + len(trees)] for start in range(0, len(objects), len(trees))]
    return next((commit for commit, here in zip(history, each, strict=True) if here == list(trees.values())), None)


def are_trees(trees) -> bool:
    """Whether these are hashes of packages, as `code_version` gives them."""
    return isinstance(trees, dict) and all(
        name in PACKAGES and isinstance(tree, str) and re.fullmatch("[0-9a-f]{40}", tree)
        for name, tree in trees.items()
    )


def is_cut(root: str | Path = ROOT) -> bool:
    """Whether a checkout has a part of its history alone."""
    return _git(root, "rev-parse", "--is-shallow-repository") == "true"


def _git(root: str | Path, *arguments: str, text: str | None = None) -> str:
    asked = ["git", "-C", root, *arguments]
    return subprocess.run(asked, input=text, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
