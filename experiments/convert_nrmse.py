"""NRMSE over the range of the clean image, as records had it, made NRMSE over its root mean square, as it is now.

    python -m experiments.convert_nrmse
    python -m experiments.convert_nrmse --only au-graphene --data data

The error of an image follows from its PSNR and the range that this was divided by; its scale follows from the clean
image. So a record converts exactly from the clean images alone, and nothing is denoised or trained again. Each current
record with an NRMSE of before gets a record that supersedes it, whose `derived` says how it was made; all else in it is
that of the measurement. A record whose data set or font is not here, or is made by another recipe than its own, stays
as it is, and tables leave its NRMSE out (`records.comparable`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from experiments.n2v import figure_4 as planted_pairs
from experiments.n2v import simulation_check
from experiments.sbd import figure_3_1 as turned
from experiments.workspace import Workspace
from stemjax import records
from stemjax.data.datasets import DataSet, canonical_json
from stemjax.data.glyphs import FONT, glyphs_of_size
from stemjax.data.kinds import KINDS
from stemjax.data.photographs import Photographs, open_photographs
from stemjax.metrics.image import contracts, prepared
from stemjax.records.contract import outdated
from stemjax.records.rebuild import find_data, images_of, imaging_of

HOW = (
    "NRMSE over the root mean square of the clean image, from PSNR, the range that PSNR was divided by and the clean "
    "image, made again; the other scores are those of the record that this one supersedes"
)
ROUNDING = 1e-6  # of scores that are kept to six decimals
NEAR = 1e-5  # parts of its range by which a clean image differs from one machine to another


# ---------------------------------------------------------------------------------------------------- arithmetic
def convert(record: dict, rows: list[dict], clean: Sequence[np.ndarray], imaging) -> list[dict]:
    """The scores of a record with every NRMSE over the root mean square of the clean image.

    The root mean square error of an image is ``range 10^(-PSNR/20)``, and NRMSE that over the root mean square of the
    clean image. What stood there before must be the same error over the range of the clean image: that shows that
    these are the record's clean images, as far as their range can.

    Parameters
    ----------
    rows : list of dict
        The record's scores, as they were made.
    clean : sequence of [H, W, C]
        Its clean images, in the order of the rows.
    imaging
        Its imaging, for the metric contract and the channels.

    Raises
    ------
    ValueError
        If what stood there before is not the error over the range of these images.
    """
    units, converted = np.array([row["unit"] for row in rows]), []
    each = contracts(imaging.contract(bool(record["denoiser"])), clean, units)
    for row, image, contract in zip(rows, clean, each, strict=True):
        new = {}
        for channel, name in enumerate(imaging.channels):
            start = f"{name}_" if len(imaging.channels) > 1 else ""
            true, data_range = prepared(image[..., channel], **contract)
            error = data_range * 10 ** (-row[f"{start}psnr_db"] / 20)
            before = data_range if record["protocol"] == "movie" else np.ptp(true)
            if abs(error / before - (stood := row[f"{start}nrmse"])) > ROUNDING + NEAR * stood:
                raise ValueError(
                    f"record {record['id'][:16]}, {row['image']}: its NRMSE of {stood:.6f} is not the error over the "
                    f"range of this clean image, {error / before:.6f}"
                )
            new[f"{start}nrmse"] = float(error / np.sqrt(np.mean(true**2, dtype=float)))
        converted.append(row | {"nrmse": float(np.mean(list(new.values())))} | new)
    return converted


# ---------------------------------------------------------------------------------------------------- clean images
def clean_of(record: dict, rows: list[dict], workspace: Workspace) -> tuple[Sequence[np.ndarray], object]:
    """The clean images of a record, [H, W, C] each in the order of its scores, and their imaging.

    Raises
    ------
    OSError
        If its data set or font is not here.
    ValueError
        If what is here was made by another recipe, or has no such images.
    """
    name, recipe, size = record["data_set"]["name"], record["data_set"]["recipe_hash"], record["size"]
    if name in KINDS and KINDS[name].make:
        imaging, selection = KINDS[name].imaging, KINDS[name].selection
        data = _drawn(name, recipe, size, workspace)
        images = [selection.images(data, split) for split in data.splits]
        return _picked(rows, {n: i for one in images for n, i in _named(one.names(data), imaging, data, one)}), imaging
    data = find_data(name, recipe, size, workspace.data)
    if record["experiment"] == "n2v_simulation_check":
        return _picked(rows, _scanned(data, size)), simulation_check.NoiselessFrames()
    imaging = imaging_of(record)
    if record["conditions"].get("frames") == planted_pairs.PLANTED:
        pixels = data.manifest["frame"]["pixels"]
        planted = planted_pairs.plant(data, imaging, (pixels, pixels)).images
        return _picked(rows, dict(zip(planted.name, planted.clean, strict=True))), imaging
    images = images_of(record, rows, data)
    if record["experiment"] == "sbd_figure_3_1":
        angle = float(record["conditions"].get("orientation_deg", 0))
        return turned.turned_clean(data, images, imaging, angle, turned.SIDE[size]), imaging
    return imaging.clean_images(data, images), imaging


def _drawn(name: str, recipe: str, size: str, workspace: Workspace) -> Photographs:
    """Photographs or characters, which are no simulated data."""
    if name == "glyphs":
        data = glyphs_of_size(size, workspace.font)
    else:
        data = open_photographs(workspace.photos)
    if data.recipe_hash != recipe:
        raise ValueError(f"{name} here have recipe {data.recipe_hash} instead of {recipe}: other files or another font")
    return data


def _named(names: list[str], imaging, data: Photographs, images) -> Iterator[tuple[str, np.ndarray]]:
    return zip(names, imaging.clean_images(data, images), strict=True)


def _scanned(data: DataSet, size: str) -> dict[str, np.ndarray]:
    """The frames of direct multislice, which take minutes, by name."""
    cases = simulation_check.direct_images(data, simulation_check.CELLS[size])
    return {case.name: simulation_check.direct_frame(case) for case in cases}


def _picked(rows: list[dict], named: dict[str, np.ndarray]) -> list[np.ndarray]:
    if missing := [row["image"] for row in rows if row["image"] not in named]:
        raise ValueError(f"there is no image {missing[0]!r}")
    return [named[row["image"]] for row in rows]


# ---------------------------------------------------------------------------------------------------- records
def run(workspace: Workspace, only: str = "") -> dict[str, int]:
    """Convert every record that can be converted, or those on one data set; returns their number by data set."""
    folder, counts = workspace.results / "records", Counter()
    groups: dict[str, list[tuple[dict, list[dict]]]] = {}
    for record in records.standing(records.load(folder)):
        if outdated(record, record["scores"]) and only in ("", record["data_set"]["name"]):
            rows = records.stored_scores(folder, record)
            groups.setdefault(_images_key(record, rows), []).append((record, rows))
    for pairs in groups.values():
        first, place = pairs[0][0], "{name} {recipe_hash}".format(**pairs[0][0]["data_set"])
        try:
            clean, imaging = clean_of(*pairs[0], workspace)
            converted = [(record, convert(record, rows, clean, imaging)) for record, rows in pairs]
        except (OSError, ValueError) as error:
            print(f"{place}: {len(pairs)} records left as they are, {first['experiment']}: {error}", flush=True)
            continue
        records.append_all(folder, [(records.derived_record(record, rows, HOW), rows) for record, rows in converted])
        counts[place] += len(pairs)
        print(f"{place}: {len(pairs)} converted, {', '.join({r['experiment']: 0 for r, _ in pairs})}", flush=True)
    return dict(counts)


def _images_key(record: dict, rows: list[dict]) -> str:
    """What decides the clean images of a record: those of equal keys are made once."""
    by_itself = record["experiment"] in ("sbd_figure_3_1", "n2v_simulation_check")
    made = (record["experiment"], record["conditions"].get("orientation_deg", 0)) if by_itself else ()
    named = [row["image"] for row in rows]
    return canonical_json([record["data_set"], record["size"], record["imaging"], made, named])


def main(
    only: str = "",
    data: Path = Path("data"),
    results: Path = Path("results"),
    font: str = FONT,
    photos: Path | None = None,
) -> None:
    """Convert the records of a results folder.

    Args:
        only: Name of a data set; by default all.
        data: Folder of simulated data sets.
        results: Folder with the records.
        font: Family or file of the font of the characters.
        photos: Folder of photographs, where the records are of others than those that come with scikit-image.
    """
    converted = run(Workspace(data=data, results=results, font=font, photos=photos), only)
    print(f"converted: {', '.join(f'{count} on {name}' for name, count in converted.items()) or 'none'}")


if __name__ == "__main__":
    import tyro

    tyro.cli(main)
