"""The held-out test set: its seed is a commit that nobody can know before it exists."""

import subprocess
from pathlib import Path


def seed_after(root: str | Path, version: str) -> tuple[str, int]:
    """The first commit after a version on the first-parent line of the checkout's branch, and the seed that it gives.

    Parameters
    ----------
    root : path
        A checkout with its history.
    version : str
        Tag of the version.

    Returns
    -------
    (commit, seed)
        The seed is the number that the first 16 hexadecimal digits of the commit's hash write.

    Raises
    ------
    ValueError
        If the version is not tagged, or no commit follows it yet: the held-out set does not exist then.
    """
    if not _git(root, "tag", "--list", version):
        raise ValueError(f"there is no held-out set yet: its seed is the first commit after {version}, still to come")
    commits = _git(root, "rev-list", "--first-parent", "--reverse", f"{version}..HEAD").split()
    if not commits:
        raise ValueError(f"there is no held-out set yet: no commit follows {version} in this checkout")
    return commits[0], int(commits[0][:16], 16)


def _git(root: str | Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        raise ValueError(f"{root}: the seed of the held-out set is read from git's history: use a clone") from error
    return done.stdout.strip()
