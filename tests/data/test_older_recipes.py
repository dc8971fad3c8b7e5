"""Data sets of older recipes: their folders are refused, their tables say so, and no table mixes them."""

import json

import pytest

from stemjax.data import datasets
from stemjax.data.older_recipes import OLDER, of_one_recipe, remark
from tests.toys.micrographs import make_toy

OLD = "41467828fe096be2"  # pt-ceo2 of size cpu with a column too many

# movies of Au and Co, gold on graphene, HAADF
PINNED = [
    "8782f92ca7b56076",
    "3f63dfd601393d33",
    "ced00dacbe64a805",
    "a668551841269f2d",
]


def record(recipe: str, name: str = "pt-ceo2") -> dict:
    return {"data_set": {"name": name, "recipe_hash": recipe}}


def test_a_folder_of_an_older_recipe_is_refused_by_name(tmp_path):
    folder = make_toy(tmp_path / "data").folder
    manifest = json.loads((folder / "manifest.json").read_text()) | {"recipe_hash": OLD, "name": "pt-ceo2"}
    del manifest["manifest_digest"]
    datasets.write_manifest(folder, manifest)
    with pytest.raises(ValueError, match="data: pt-ceo2 of an older recipe .*a column too many.*make it again"):
        datasets.open_data_set(folder)
    assert datasets.open_data_set(folder, OLD).recipe_hash == OLD  # a record of that recipe may be made again


def test_no_table_mixes_recipes():
    old, new, other = record(OLD), record("a" * 16), record("b" * 16, "movies-au")
    assert of_one_recipe([old, other]) == [old, other]
    assert of_one_recipe([old, new, other]) == [new, other]


def test_a_reader_is_told_of_older_recipes():
    assert remark([record("a" * 16)]) == ""
    assert f"(pt-ceo2 {OLD}): the particles PtNp1 and PtNp2 had a column too many" in remark([record(OLD)] * 2)
    assert remark([record("a" * 16)], left_out=2) == "2 records of an older recipe are left out until recorded anew."


def test_recipes_with_platinum_particles_changed_and_no_others():
    """Hashes without the versions of abTEM and ASE, which are part of a recipe."""
    pytest.importorskip("abtem", reason="abTEM is not installed (extra `simulation`)")
    from simulation import au_graphene, haadf_pt, hrtem_movies, pt_ceo2

    def bare(plan) -> str:
        return datasets.recipe_hash({key: value for key, value in plan.recipe().items() if key != "software"})

    for plan in (
        pt_ceo2.plan("pt-ceo2", "cpu"),
        pt_ceo2.plan("pt-ceo2-surface", "cpu"),
        hrtem_movies.plan("pt", "cpu"),
    ):
        assert plan.recipe()["platinum"]["rows"]["PtNp2"][3] == [6, 7, 8, 9, 10, 9, 8, 7, 6, 0]
        assert datasets.recipe_hash(plan.recipe()) not in OLDER
    unchanged = [hrtem_movies.plan("au", "cpu"), hrtem_movies.plan("co", "cpu")]
    unchanged += [au_graphene.PLANS["cpu"], haadf_pt.PLANS["cpu"]]
    assert [bare(plan) for plan in unchanged] == PINNED
