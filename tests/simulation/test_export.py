"""Clean images as files."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import tifffile

pytest.importorskip("abtem", reason="abTEM is not installed (extra `simulation`)")

from simulation.export import export_images  # noqa: E402
from simulation.lattice import make_lattice  # noqa: E402
from stemjax.data import datasets  # noqa: E402
from stemjax.data.au_graphene import GrapheneImaging  # noqa: E402
from stemjax.data.datasets import open_data_set  # noqa: E402
from stemjax.data.image_folder import open_image_pairs  # noqa: E402
from stemjax.data.images import Frames  # noqa: E402
from stemjax.data.lattice import LatticeImaging  # noqa: E402
from stemjax.files import read_image  # noqa: E402
from stemjax.physics.optics import Optics, image  # noqa: E402
from tests.toys import au_graphene as toy_movies  # noqa: E402


def test_files_hold_counts_and_pixel_size(smoke, tmp_path):
    table = export_images(smoke, tmp_path, pixels=256, defocus=(60, 75.5), progress=False)
    rows = list(csv.DictReader(table.open()))
    data = open_data_set(smoke)
    assert len(rows) == 2 * len(data.items)
    row = rows[2]
    with tifffile.TiffFile(tmp_path / row["file"]) as file:
        picture, page = file.asarray(), file.pages[0]
        per_unit = np.divide(*page.tags["XResolution"].value)
        assert file.imagej_metadata["unit"] == "nm"
    assert 10 / per_unit == pytest.approx(float(row["pixel_size_angstrom"]), rel=1e-5) == pytest.approx(50.1 / 256)
    expected = 0.45 * np.asarray(image(data.waves([1])[0], 60.0, data.band, Optics(), 256))
    assert picture.dtype == np.float32
    np.testing.assert_allclose(picture, expected, atol=1e-5)
    assert (row["id"], row["contrast"], rows[3]["contrast"]) == (data.items[1]["id"], "white", "")


def test_export_goes_on_where_it_stopped(smoke, tmp_path):
    table = export_images(smoke, tmp_path, pixels=64, defocus=(60,), progress=False)
    images = sorted(tmp_path.glob("*.tif"))
    kept, lost = images[0].stat().st_mtime_ns, images[1].read_bytes()
    images[1].unlink()
    table.unlink()
    export_images(smoke, tmp_path, pixels=64, defocus=(60,), progress=False)
    assert images[0].stat().st_mtime_ns == kept
    assert images[1].read_bytes() == lost and table.exists()
    with pytest.raises(ValueError, match="holds another export"):
        export_images(smoke, tmp_path, pixels=128, defocus=(60,), progress=False)


def test_frames_of_movies_are_pairs_noisy_and_clean(tmp_path):
    data = make_lattice(tmp_path / "lattice")
    out = tmp_path / "out"
    table = export_images(data.folder, out, progress=False)
    rows = list(csv.DictReader(table.open()))
    assert len(rows) == sum(item["frames"] for item in data.items)
    images = Frames(session=()).images(data, "test")
    test = [row for row in rows if row["split"] == "test"]
    assert [row["file"] for row in test] == [f"{name}.tif" for name in images.names(data)]
    for folder, frames in (("noisy", "noisy_images"), ("clean", "clean_images")):
        read = [read_image(out / folder / row["file"]) for row in test]
        np.testing.assert_allclose([i.data for i in read], getattr(LatticeImaging(), frames)(data, images), rtol=1e-5)
        assert read[0].sampling == pytest.approx(float(test[0]["pixel_size_angstrom"]), rel=1e-5)
    assert len(open_image_pairs(out).noisy.movie) == len(rows)
    lost = out / "noisy" / rows[1]["file"]
    before = lost.read_bytes()
    lost.unlink()
    export_images(data.folder, out, progress=False)
    assert lost.read_bytes() == before
    with pytest.raises(ValueError, match="lattice: movies have their own pixels, counts and defocus"):
        export_images(data.folder, out, pixels=64, progress=False)


def test_frames_of_two_channels_are_files_of_two_channels(tmp_path):
    data = toy_movies.make_movies(tmp_path / "toy")
    data = replace(data, manifest=data.manifest | {"name": "au-graphene"})
    datasets.write_manifest(data.folder, data.manifest)
    out = export_images(data.folder, tmp_path / "out", progress=False).parent
    images = Frames(session=()).images(data, "train")
    expected = GrapheneImaging().device_arrays(data, images)["noisy"]
    read = [read_image(out / "noisy" / f"{name}.tif").data for name in images.names(data)]
    np.testing.assert_allclose(read, expected, rtol=1e-5, atol=1e-6)
    datasets.write_manifest(data.folder, data.manifest | {"name": "nothing"})
    with pytest.raises(ValueError, match="the unknown kind nothing; there are atoms, "):
        export_images(data.folder, tmp_path / "other", progress=False)
