"""Image files: read what microscopes write, refuse what would give a wrong answer, write calibrated results.

    file -> Image (float32 [H, W, C] or [T, H, W, C], pixel size in Å) -> ... -> TIFF or .npy, and a JSON file beside it

`.npy` and TIFF are read here; microscope formats go through RosettaSciIO, which is GPL-3: the extra `files` installs
it, and it is imported only when such a file is opened. Nothing is ever unpickled.
"""

from stemjax.files.arrays import as_array, as_image, read, write
from stemjax.files.folder import RESULT, FolderStack, folder_images, natural, read_file, read_folder
from stemjax.files.image import Image, to_json
from stemjax.files.reading import (
    READABLE,
    arrange,
    fill_nonfinite,
    read_image,
    refuse_nonfinite,
    to_angstrom,
    to_float32,
    warnings_about,
    warnings_about_frames,
)
from stemjax.files.writing import write_frames, write_image, write_whole

__all__ = [
    "READABLE",
    "RESULT",
    "FolderStack",
    "Image",
    "arrange",
    "as_array",
    "as_image",
    "fill_nonfinite",
    "folder_images",
    "natural",
    "read",
    "read_file",
    "read_folder",
    "read_image",
    "refuse_nonfinite",
    "to_angstrom",
    "to_float32",
    "to_json",
    "warnings_about",
    "warnings_about_frames",
    "write",
    "write_frames",
    "write_image",
    "write_whole",
]
