"""Write the images of a data set as files, for programs that want files.

    stemjax simulate export-images data/gpu --out images

Of exit waves: one clean float32 TIFF in counts per wave and defocus, with its pixel size where ImageJ looks for it, and
`images.csv` with all conditions. The full grid is 17,955 images of 4 MB. Of movies: every frame, in `noisy` as recorded
with the noise that models are trained on by default, and under the same name in `clean`. A killed export goes on where
it stopped.
"""

import csv
import io
import json
from functools import partial
from pathlib import Path

import jax
import numpy as np

from simulation.contrast import DEFOCI
from simulation.folder import locked, reporter
from stemjax.data import datasets
from stemjax.data.image_folder import CLEAN, NOISY
from stemjax.data.images import Images, frames_of
from stemjax.data.kinds import kind_of
from stemjax.files import write_whole
from stemjax.physics.optics import Optics, image

PIXELS, COUNTS = 1024, 0.45  # per side; electrons per vacuum pixel

_images = partial(jax.jit, static_argnums=(2, 3, 4))(image)


def export_images(
    folder: str | Path,
    out: str | Path,
    pixels: int = PIXELS,
    counts: float = COUNTS,
    defocus: tuple[float, ...] = DEFOCI,
    progress: bool = True,
) -> Path:
    """Render every exit wave of a data set at every defocus, or every frame of its movies.

    Parameters
    ----------
    folder : path
        Data set of exit waves, or of movies, for which the three numbers stay as they are.
    out : path
        Folder of the images; existing ones of the same export are kept.
    pixels : int
        Pixels per side; the sampling is cell / pixels.
    counts : float
        Electrons per vacuum pixel.
    defocus : tuple of float
        [Å].

    Returns
    -------
    Path
        The table `images.csv`, written last.

    Raises
    ------
    OSError
        If another process writes there, or the disk is full.
    ValueError
        If `out` holds another export, or movies are to have other pixels, counts or defocus than their own.
    """
    data, out = datasets.open_data_set(folder), Path(out)
    if "frame" in data.manifest:
        if (pixels, counts, tuple(defocus)) != (PIXELS, COUNTS, DEFOCI):
            raise ValueError(f"{folder}: movies have their own pixels, counts and defocus: leave these options out")
        return _export_movies(data, out, progress)
    options = {"recipe_hash": data.recipe_hash, "pixels": pixels, "counts": counts, "defocus": list(defocus)}
    with locked(out):
        _claim(out, json.loads(json.dumps(options)))
        sampling = data.band.cell / pixels
        table = [[_row(item, c10, sampling, counts) for c10 in defocus] for item in data.items]
        with reporter("exit waves", 0, len(table), progress) as report:
            for index, rows in enumerate(table):
                if not all((out / row["file"]).is_file() for row in rows):
                    wave = data.waves([index])[0]
                    clean = counts * np.asarray(_images(wave, np.float32(defocus), data.band, Optics(), pixels))
                    for row, picture in zip(rows, clean, strict=True):
                        _write_tiff(out / row["file"], picture, sampling)
                report(index + 1)
        return _write_csv(out / "images.csv", [row for rows in table for row in rows])


def _export_movies(data: datasets.DataSet, out: Path, progress: bool) -> Path:
    """Write every frame of a data set of movies, noisy and clean; returns the table."""
    imaging, rows, sampling = kind_of(data).imaging, [], data.manifest["frame"]["sampling_angstrom"]
    with locked(out), reporter("movies", 0, len(data.items), progress) as report:
        _claim(out, {"recipe_hash": data.recipe_hash, "imaging": repr(imaging)})
        for folder in (NOISY, CLEAN):
            (out / folder).mkdir(exist_ok=True)
        for index, item in enumerate(data.items):
            frames = np.arange(item["frames"], dtype=np.int32)
            images = frames_of(data, np.full_like(frames, index), frames)
            names = [f"{name}.tif" for name in images.names(data)]
            if not all((out / folder / name).is_file() for folder in (NOISY, CLEAN) for name in names):
                pictures = {NOISY: _as_recorded(imaging, data, images), CLEAN: imaging.clean_images(data, images)}
                for folder, stack in pictures.items():
                    for name, picture in zip(names, np.asarray(stack), strict=True):
                        _write_tiff(out / folder / name, np.squeeze(np.moveaxis(picture, -1, 0)), sampling)
            known = {key: item[key] for key in ("id", "unit", "split", "session")}
            known |= {"channels": " ".join(imaging.channels), "pixel_size_angstrom": sampling}
            noise = {"noise": repr(imaging.noise)}
            rows += [{"file": name} | known | {"frame": int(n)} | noise for name, n in zip(names, frames, strict=True)]
            report(index + 1)
        return _write_csv(out / "images.csv", rows)


def _as_recorded(imaging, data: datasets.DataSet, images: Images) -> np.ndarray:
    """Noisy frames [T, H, W, C] of one movie."""
    if hasattr(imaging, "noisy_images"):
        return imaging.noisy_images(data, images)
    return imaging.device_arrays(data, images)["noisy"]


def _claim(out: Path, options: dict) -> None:
    """Note what is exported into this folder; refuse one that holds another export."""
    path = out / "export.json"
    if path.is_file() and json.loads(path.read_text()) != options:
        raise ValueError(f"{out}: holds another export (see export.json); choose another folder or delete this one")
    write_whole(path, lambda stream: stream.write(json.dumps(options, indent=1).encode()))


def _row(item: dict, defocus: float, sampling: float, counts: float) -> dict:
    """All conditions of one image."""
    copied = ("id", "unit", "split", "particle", "defect", "support", "thickness_angstrom")
    contrast = dict(zip(DEFOCI, item["contrast"], strict=True))
    return (
        {"file": f"{item['id']}-defocus{defocus:+g}.tif"}
        | {key: item[key] for key in copied}
        | {
            "tilt_about_x_deg": item["tilt_deg"][0],
            "tilt_about_y_deg": item["tilt_deg"][1],
            "defocus_angstrom": defocus,
            "contrast": contrast.get(defocus, ""),
            "pixel_size_angstrom": sampling,
            "counts_per_vacuum_pixel": counts,
            "dose_per_square_angstrom": counts / sampling**2,
        }
    )


def _write_tiff(path: Path, picture: np.ndarray, sampling: float) -> None:
    """ImageJ TIFF of [H, W] or [C, H, W] with the pixel size in nm, whole or not at all."""
    import tifffile

    per_nm, buffer, axes = 10 / sampling, io.BytesIO(), "CYX"[-picture.ndim :]
    picture = np.ascontiguousarray(picture, np.float32)
    tifffile.imwrite(buffer, picture, imagej=True, resolution=(per_nm, per_nm), metadata={"unit": "nm", "axes": axes})
    write_whole(path, lambda stream: stream.write(buffer.getvalue()))


def _write_csv(path: Path, rows: list[dict]) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, lambda stream: stream.write(text.getvalue().encode()))
    return path
