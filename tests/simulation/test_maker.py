"""Making any data set, by a plan of two small parts: stopped and damaged it ends the same, one writer, one recipe."""

import fcntl
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest

from simulation.maker import Contents, as_json, make
from stemjax.data.datasets import verify


@dataclass(frozen=True)
class Toy:
    """Parts "one" and "two"; what was made is noted in `made`, and `broken` ones cannot be."""

    numbers: tuple[int, ...] = (1, 2)
    broken: str = ""
    made: list = field(default_factory=list)

    name: ClassVar[str] = "toy"
    what: ClassVar[str] = "numbers"
    spread: ClassVar[bool] = False

    def recipe(self):
        return as_json({"name": self.name, "numbers": self.numbers})

    def parts(self):
        return ("one", "two")

    def make_part(self, name):
        if name == self.broken:
            raise KeyboardInterrupt
        self.made.append(name)
        number = self.numbers[self.parts().index(name)]
        return np.full(3, number), {"number": number}

    def contents(self, parts):
        items = [
            {"id": name, "unit": name, "split": split, "number": parts[name].facts["number"]}
            for name, split in zip(self.parts(), ("train", "test"), strict=True)
        ]
        return Contents(items, {"units": {}}, {"sum.npy": sum(part.array for part in parts.values())})


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def whole(tmp_path):
    """A data set made in one go, as its files."""
    data = make(tmp_path / "whole", Toy(), progress=False)
    assert verify(data.folder) == [] and data.array("sum.npy").tolist() == [3, 3, 3]
    assert data.manifest["splits"] == {"train": ["one"], "validation": [], "test": ["two"]}
    return files(data.folder)


def test_stopped_and_damaged_it_ends_with_the_same_bytes(tmp_path, whole):
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        make(out, Toy(broken="two"), progress=False)
    assert (out / "markers" / "one.json").exists() and not (out / "manifest.json").exists()
    (out / ".two.npy.tmp").touch()  # as a killed run leaves it
    resumed = Toy()
    make(out, resumed, progress=False)
    assert resumed.made == ["two"] and files(out) == whole
    (out / "one.npy").write_bytes((out / "one.npy").read_bytes()[:-1] + b"x")
    (out / "markers" / "two.json").write_text("{")
    mended = Toy()
    make(out, mended, progress=False)
    assert mended.made == ["one", "two"] and files(out) == whole
    left_alone = Toy()
    make(out, left_alone)
    assert left_alone.made == [] and files(out) == whole


def test_another_recipe_and_a_second_writer_are_refused(tmp_path, whole):
    with pytest.raises(ValueError, match="holds data of another recipe .* choose another folder"):
        make(tmp_path / "whole", Toy((1, 3)))
    with open(tmp_path / "whole" / ".lock", "w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="another process is writing here"):
            make(tmp_path / "whole", Toy())
    assert files(tmp_path / "whole") == whole


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("stemjax.data.datasets.write_array", lambda *_: (_ for _ in ()).throw(OSError(28, "No space")))
    with pytest.raises(OSError, match=r"out: cannot write \(No space\); mend that and run again to continue"):
        make(tmp_path / "out", Toy(), progress=False)
