"""Clean images as files."""

import csv

import numpy as np
import pytest
import tifffile

pytest.importorskip("abtem", reason="abTEM is not installed (extra `simulation`)")

from simulation.export import export_images  # noqa: E402
from stemjax.datasets import open_data_set  # noqa: E402
from stemjax.optics import Optics, image  # noqa: E402


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
