"""The held-out test set: its seed is a commit that nobody can know before it exists."""

import subprocess
from pathlib import Path

MAIN = "main"


def seed_after(root: str | Path, version: str) -> tuple[str, int]:
    """The first commit after a version on the first-parent line of the main branch, and the seed that it gives.

    The main branch is the remote's as last fetched, `origin` before any other, or the checkout's own if it knows no
    remote one; which branch is checked out plays no part.

    Parameters
    ----------
    root : path
        A checkout with its whole history.
    version : str
        Tag of the version.

    Returns
    -------
    (commit, seed)
        The seed is the number that the first 16 hexadecimal digits of the commit's hash write.

    Raises
    ------
    ValueError
        If the version is not tagged, or no commit follows it yet: the held-out set does not exist then. If the history
        is cut, or has no main branch: what comes first cannot be known.
    """
    if _git(root, "rev-parse", "--is-shallow-repository") == "true":
        raise ValueError(f"{root}: the history of this clone is cut; fetch all of it: git fetch --unshallow --tags")
    if not _git(root, "tag", "--list", version):
        where = f"the first commit after {version}, still to come (or not fetched: git fetch --tags)"
        raise ValueError(f"there is no held-out set yet: its seed is {where}")
    branch = _main_branch(root)
    since = f"refs/tags/{version}..{branch}"
    later = set(_git(root, "rev-list", "--ancestry-path", since).split())  # not those made beside the version
    commits = [one for one in _git(root, "rev-list", "--first-parent", "--reverse", since).split() if one in later]
    if not commits:
        name = branch.removeprefix("refs/heads/").removeprefix("refs/remotes/")
        raise ValueError(f"there is no held-out set yet: no commit follows {version} on {name} (as last fetched)")
    return commits[0], int(commits[0][:16], 16)


def _main_branch(root: str | Path) -> str:
    """Full name of the main branch."""
    remote = _git(root, "for-each-ref", "--format=%(refname)", f"refs/remotes/*/{MAIN}").split()
    own = _git(root, "for-each-ref", "--format=%(refname)", f"refs/heads/{MAIN}").split()
    branches = sorted(remote, key=lambda name: name != f"refs/remotes/origin/{MAIN}") + own
    if not branches:
        fix = f"git fetch origin {MAIN}:refs/remotes/origin/{MAIN}"
        raise ValueError(f"{root}: no branch {MAIN}, which the seed of the held-out set is read from; fetch it: {fix}")
    return branches[0]


def _git(root: str | Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        raise ValueError(f"{root}: the seed of the held-out set is read from git's history: use a clone") from error
    return done.stdout.strip()
