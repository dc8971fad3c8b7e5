"""The code of a record is found again, also where its commit has another name now."""

import subprocess

import pytest

from stemjax import __version__
from stemjax.cli.evaluate_reproduce import _whereabouts
from stemjax.records import code_version, commit_of
from stemjax.records.code import are_trees


@pytest.fixture
def checkout(tmp_path):
    def git(*arguments: str) -> str:
        who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", "-C", tmp_path, *who, *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q")
    for package in ("stemjax", "experiments"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "one.py").write_text(f"# {package}\n")
    git("add", "-A")
    git("commit", "-qm", "first")
    return tmp_path, git


def test_a_commit_is_found_under_its_own_name_and_another(checkout):
    root, git = checkout
    code = code_version(root)
    first = git("rev-parse", "HEAD")
    assert (code["commit"], code["dirty"], sorted(code["trees"])) == (first, False, ["experiments", "stemjax"])
    git("tag", "v1.0.0")
    released = code_version(root)
    assert released["commit"] == "v1.0.0" and commit_of({"commit": "v1.0.0"}, root) == first
    assert commit_of({"commit": "v2.0.0"}, root) is commit_of({"commit": "--all"}, root) is None
    git("commit", "-q", "--allow-empty", "-m", "second")
    named = code_version(root)
    assert named["commit"].startswith("v1.0.0-1-g") and named["trees"] == code["trees"]
    assert commit_of(code, root) == first and commit_of(named, root) == git("rev-parse", "HEAD")
    # The history is written again, with the same packages in it, and then goes on with others.
    git("reset", "-q", "--soft", first)
    git("commit", "-q", "--amend", "-m", "first, again")
    again = git("rev-parse", "HEAD")
    (root / "stemjax" / "one.py").write_text("# changed\n")
    assert code_version(root)["dirty"]
    git("commit", "-qam", "third")
    assert again != first and commit_of(code, root) == again
    assert code_version(root)["trees"]["experiments"] == code["trees"]["experiments"]
    assert code_version(root)["trees"]["stemjax"] != code["trees"]["stemjax"]


def test_code_that_no_commit_here_has_is_not_found(checkout, tmp_path_factory):
    root, git = checkout
    code = code_version(root)
    elsewhere = code | {"commit": "ab" * 20}
    assert commit_of(elsewhere, root) == code["commit"]
    assert commit_of({name: value for name, value in elsewhere.items() if name != "trees"}, root) is None
    assert commit_of(elsewhere | {"trees": code["trees"] | {"stemjax": "cd" * 20}}, root) is None
    assert not any(map(are_trees, (None, [], "ab", {"stemjax": "ab"}, {"other": "ab" * 20}, {"stemjax": None})))
    assert are_trees({}) and are_trees(code["trees"])
    bare = tmp_path_factory.mktemp("bare")
    assert code_version(bare) == {"version": __version__, "commit": None, "dirty": None}
    assert commit_of(code, bare) is None


def test_where_the_code_is_is_said(monkeypatch):
    made = {"commit": "ab" * 20, "trees": {"stemjax": "cd" * 20}}
    for found, cut, said in (
        ("ab" * 20, False, "abababababab"),
        ("ef" * 20, False, "abababababab, in this history efefefefefef"),
        (None, False, "abababababab, which this history does not have"),
        (None, True, "abababababab, which this history does not have (it is cut: git fetch --unshallow --tags)"),
    ):
        monkeypatch.setattr("stemjax.records.commit_of", lambda code, found=found: found)
        monkeypatch.setattr("stemjax.records.code.is_cut", lambda cut=cut: cut)
        monkeypatch.setattr("stemjax.records.code_version", lambda: {"commit": "ef" * 20})
        assert _whereabouts(made) == said
    monkeypatch.setattr("stemjax.records.code_version", lambda: {"commit": None})
    assert _whereabouts(made) == "abababababab" and _whereabouts({"commit": None}) == "unknown"
