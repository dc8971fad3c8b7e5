"""The seed of the held-out test set: the first commit after a version, on the main branch of a whole history."""

import subprocess

import pytest

from stemjax.leaderboard.held_out import seed_after


def test_the_held_out_seed_is_the_first_commit_after_the_version(tmp_path):
    def git(*arguments: str) -> str:
        command = ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q", "-b", "main")
    git("commit", "-q", "--allow-empty", "-m", "one")
    with pytest.raises(ValueError, match="the first commit after v1.0.0, still to come"):
        seed_after(tmp_path, "v1.0.0")
    git("tag", "v1.0.0")
    with pytest.raises(ValueError, match="no commit follows v1.0.0"):
        seed_after(tmp_path, "v1.0.0")
    git("commit", "-q", "--allow-empty", "-m", "two")
    first = git("rev-parse", "HEAD")
    git("commit", "-q", "--allow-empty", "-m", "three")
    assert seed_after(tmp_path, "v1.0.0") == (first, int(first[:16], 16))


def test_the_held_out_seed_is_that_of_the_main_branch_of_a_whole_history(tmp_path):
    def git(folder: str, *arguments: str) -> str:
        command = ["git", "-C", tmp_path / folder, "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def commit(folder: str, text: str) -> str:
        git(folder, "commit", "-q", "--allow-empty", "-m", text)
        return git(folder, "rev-parse", "HEAD")

    (tmp_path / "public").mkdir()
    git("public", "init", "-q", "-b", "main")
    commit("public", "one")
    git("public", "checkout", "-q", "-b", "release")  # the tag is on a branch, merged after a commit made beside it
    commit("public", "two")
    git("public", "tag", "-a", "v1.0.0", "-m", "version 1")
    git("public", "checkout", "-q", "main")
    commit("public", "beside")
    git("public", "checkout", "-q", "-b", "feature", "v1.0.0")
    commit("public", "feature")
    with pytest.raises(ValueError, match=r"no commit follows v1.0.0 on main"):
        seed_after(tmp_path / "public", "v1.0.0")
    git("public", "checkout", "-q", "main")
    git("public", "merge", "-q", "--no-ff", "-m", "merge", "release")
    merge = git("public", "rev-parse", "HEAD")
    git("public", "checkout", "-q", "feature")
    assert seed_after(tmp_path / "public", "v1.0.0")[0] == merge
    # in a clone: of the remote's main branch, whatever the clone's own holds
    address = f"file://{tmp_path / 'public'}"
    git(".", "clone", "-q", "-b", "main", address, "clone")
    git("clone", "reset", "-q", "--hard", "v1.0.0")
    commit("clone", "own")
    assert seed_after(tmp_path / "clone", "v1.0.0")[0] == merge
    git(".", "clone", "-q", "--single-branch", "-b", "feature", address, "single")
    with pytest.raises(ValueError, match="no branch main, .* git fetch origin main:refs/remotes/origin/main"):
        seed_after(tmp_path / "single", "v1.0.0")
    git(".", "clone", "-q", "--depth", "1", "-b", "main", address, "cut")
    with pytest.raises(ValueError, match="cut: the history of this clone is cut; .* git fetch --unshallow --tags"):
        seed_after(tmp_path / "cut", "v1.0.0")
