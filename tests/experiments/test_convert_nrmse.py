"""Records of an earlier NRMSE: what they said stays theirs, and converts exactly."""

import numpy as np
import pytest

from experiments import convert_nrmse
from experiments.workspace import Workspace
from stemjax import records
from stemjax.apply.evaluate import ImageSet, scores
from stemjax.data.au_graphene import GrapheneImaging
from stemjax.data.hrtem_movies import HrtemImaging
from stemjax.data.images import Images
from stemjax.data.micrographs import Imaging
from stemjax.data.photographs import EveryPhotograph, PhotographImaging, open_photographs
from stemjax.denoisers.space_time_gaussian import SpaceTimeGaussian
from stemjax.records.making import derived_record
from tests.toys.records import a_record, some_scores

IMAGINGS = (Imaging(counts=1.8), GrapheneImaging(), HrtemImaging(), PhotographImaging())


def images_of(imaging, side: int = 24) -> ImageSet:
    """Six images of two units, brighter than an image of the SBD paper may be, and noisy."""
    rng = np.random.default_rng(0)
    clean = rng.uniform(0.2, 5.0, (6, side, side, len(imaging.channels))).astype("f4")
    noisy = clean + rng.normal(0, 0.3, clean.shape).astype("f4")
    item = np.repeat(np.arange(2, dtype=np.int32), 3)
    listed = Images(item, np.array(["a", "b"])[item], frame=np.tile(np.arange(3, dtype=np.int32), 2))
    return ImageSet(clean, noisy, listed, [f"image{n}" for n in range(6)], imaging)


def over_range(rows: list[dict], images: ImageSet, clamp: bool) -> list[dict]:
    """The scores with NRMSE as it was: over the range of the clean image, of the clean movie under `movie`."""
    channels, found = images.imaging.channels, []
    for row, clean, test, unit in zip(rows, images.clean, images.noisy, images.images.unit, strict=True):
        new = {}
        for number, channel in enumerate(channels):
            true, seen, whole = clean[..., number], test[..., number], images.clean[images.images.unit == unit]
            if images.imaging.protocol == "sbd":
                true, seen = (255 * image / images.imaging.dose_scale for image in (true, seen))
                true, seen = (np.clip(image, 0, 255) if clamp else image for image in (true, seen))
            span = np.ptp(whole if images.imaging.protocol == "movie" else true)
            name = f"{channel}_nrmse" if len(channels) > 1 else "nrmse"
            new[name] = float(np.sqrt(np.mean((true - seen) ** 2, dtype=float)) / span)
        found.append(row | {"nrmse": float(np.mean(list(new.values())))} | new)
    return found


def older(rows: list[dict], **changes) -> dict:
    """A record of before the metrics had a version."""
    record = a_record(rows, tuning=None, **changes)
    return {name: value for name, value in record.items() if name != "metrics_version"}


@pytest.mark.parametrize(("imaging", "clamp"), [(IMAGINGS[0], False), *((imaging, True) for imaging in IMAGINGS)])
def test_a_converted_score_is_that_of_the_metric(imaging, clamp):
    images = images_of(imaging)
    expected = scores(images.noisy, images, clamp)
    rows = records.scores.rounded(over_range(expected, images, clamp))
    assert all(a["nrmse"] != pytest.approx(b["nrmse"], rel=0.05) for a, b in zip(rows, expected, strict=True))
    method = {"denoiser": {"class": "some"} if clamp else {}}
    record = older(rows) | method | {"id": "0" * 64, "protocol": imaging.protocol}
    found = convert_nrmse.convert(record, rows, images.clean, imaging)
    for row, before, now in zip(found, rows, expected, strict=True):
        changed = [name for name in row if name.endswith("nrmse")]
        assert [row[name] for name in changed] == pytest.approx([now[name] for name in changed], rel=1e-6)
        assert {n: x for n, x in row.items() if n not in changed} == {n: before[n] for n in row if n not in changed}
    if imaging.protocol in ("sbd", "photo"):
        with pytest.raises(ValueError, match="not the error over the range of this clean image"):
            convert_nrmse.convert(record, rows, 1.001 * images.clean, imaging)


def test_records_are_superseded_and_say_how(tmp_path, capsys):
    data = open_photographs()
    imaging, images = PhotographImaging(), EveryPhotograph(per_unit=1).images(open_photographs(), "test")
    clean = imaging.clean_images(data, images)
    noisy = clean + np.random.default_rng(0).normal(0, 0.1, clean.shape).astype("f4")
    test = ImageSet(clean, noisy, images, images.names(data), imaging)
    now = scores(noisy, test)
    before, folder = over_range(now, test, clamp=False), tmp_path / "records"
    old = older(before, data_set=data, imaging=imaging, protocol="photo", wall_s=1.5)
    first = records.append(folder, old, before)
    new = records.append(folder, a_record(now, tuning=None, seed=1, protocol="photo", data_set=data), now)
    lost = records.append(folder, older(before, seed=2, protocol="photo"), before)  # of a data set that is not here

    workspace = Workspace(data=tmp_path, results=tmp_path)
    place = f"{data.name} {data.recipe_hash}"
    assert convert_nrmse.run(workspace) == {place: 1}
    assert "records left as they are" in capsys.readouterr().out
    assert records.audit(folder) == []
    by_id = {record["id"]: record for record in records.current(records.load(folder))}
    (made,) = set(by_id) - {new, lost}
    assert by_id[made]["supersedes"] == first and by_id[made]["metrics_version"] == 2
    assert by_id[made]["derived"]["how"] == convert_nrmse.HOW and by_id[made]["wall_s"] == 1.5
    same = ("command", "time_utc", "code", "denoiser", "run", "checkpoint", "conditions", "imaging", "experiment")
    assert {name: by_id[made][name] for name in same} == {name: old[name] for name in same}
    assert by_id[made]["scores"] == pytest.approx(by_id[new]["scores"], abs=2e-6)
    assert "nrmse" not in by_id[lost]["scores"]
    assert convert_nrmse.run(workspace) == {}  # once is enough
    assert records.origins(records.load(folder)) == {first: first, made: first, new: new, lost: lost}


def test_an_earlier_nrmse_is_no_score_of_now(tmp_path):
    rows = some_scores()
    old, new = records.append(tmp_path, older(rows), rows), records.append(tmp_path, a_record(rows, seed=1), rows)
    assert records.audit(tmp_path) == []
    every = records.load(tmp_path)
    found = {record["id"]: record for record in records.current(every)}
    assert "nrmse" in found[new]["scores"] and "nrmse" in found[new]["interval"]
    assert set(found[old]["scores"]) == set(found[old]["interval"]) == {"psnr_db", "ssim"}
    for listed in (every, list(found.values())):
        read = records.load_scores(tmp_path, listed)
        assert "nrmse" in read[new][0] and "nrmse" not in read[old][0]
    assert "nrmse" in records.standing(every)[0]["scores"] and "nrmse" in records.stored_scores(tmp_path, found[old])[0]


def test_a_row_is_known_by_its_clearest_label(tmp_path):
    """The filter of "size 3" has a standard deviation of 3: no record is edited, and its repetition supersedes it."""
    rows, filtered = some_scores(), SpaceTimeGaussian(3.0, 3.0)
    old, new = (f"Gaussian filter, 3-D, {size}" for size in ("size 3", "sigma 3"))
    first = records.append(tmp_path, a_record(rows, method=old, denoiser=filtered, tuning=None), rows)
    (stored,) = records.load(tmp_path)
    assert stored["method"] == old and [r["method"] for r in records.current([stored])] == [new]
    again = records.append(tmp_path, a_record(rows, method=new, denoiser=filtered, tuning=None), rows)
    other = SpaceTimeGaussian(0.8, 0.8, window=3)
    window = "Gaussian filter, 3-D, window 3"
    third = records.append(tmp_path, a_record(rows, method=window, denoiser=other, tuning=None), rows)
    every = records.load(tmp_path)
    assert every[1]["supersedes"] == first and [r["id"] for r in records.current(every)] == [again, third]


def test_what_is_derived_supersedes_what_stands(tmp_path):
    rows = records.scores.rounded(some_scores())
    first = records.append(tmp_path, older(rows), rows)
    (record,) = records.load(tmp_path)
    derived = derived_record(record, rows, "made of it")
    assert records.find_faults(derived, rows) == []
    for change in ({"derived": {"how": "made of it"}}, {"supersedes": None}, {"metrics_version": 3}):
        assert records.find_faults(derived | change, rows) != []
    made = records.append(tmp_path, derived, rows)
    assert made != first
    with pytest.raises(ValueError, match="superseded already"):
        records.append(tmp_path, derived_record(record, rows, "made of it again"), rows)
