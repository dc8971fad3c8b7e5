"""Chinese characters in uniform noise: how Wang et al. test their autoencoder on images that have nothing in common
with micrographs.

A set of characters, drawn from an installed font, takes the place of a data set of exit waves, `GlyphImaging` that of
the microscope; crops are those of `crops.MovieCrops`. Training, validation and test have characters of their own.
Beside the characters stands one picture that is none, `strokes`.

References
----------
Wang, Henninen, Keller, Erni, "Self-supervised denoising for massive noisy images", 2021, Figures 4 and 5.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.data.crops import MovieCrops, with_statistics
from stemjax.data.images import RECORDING_NOISE, Images, spread
from stemjax.data.kind import Kind
from stemjax.data.photographs import Photographs

FONT = "WenQuanYi Zen Hei"  # the paper's; any other that has the characters will do
SIZE = 64  # px
# Of all fonts that have Chinese characters, these are the ones that every one of them has: of Unicode 1.1.
HAN = 0x4E00, 0x9FA5
LETTERS = 0x0410, 0x044F  # Cyrillic ones, which the font of matplotlib has: those of size smoke
CHARACTERS = {"smoke": 40, "cpu": 4000, "gpu": 20_902}  # of each size of a run; the paper has 38,631
PARTS = {"train": 0.8, "validation": 0.1, "test": 0.1}
REGULAR = ("regular", "book", "roman", "medium", "normal")  # how fonts call the plain style
STROKES = "strokes"  # split of the picture that is no character
DRAWS = 10  # noisy images of it


# ---------------------------------------------------------------------------------------------------- pictures
def characters(count: int, block: tuple[int, int] = HAN) -> str:
    """So many characters, spread evenly over a block: of the 20,902 Chinese ones, so that all radicals are among them.

    Raises
    ------
    ValueError
        If there are not so many.
    """
    first, last = block
    if not 0 < count <= last - first + 1:
        raise ValueError(f"{count} characters: choose 1 to {last - first + 1}")
    return "".join(map(chr, spread(np.arange(first, last + 1), count)))


@dataclass(frozen=True)
class Face:
    """A face of a font's file, which may have several (.ttc).

    Parameters
    ----------
    path : Path
    index : int
        Which face of the file it is.
    names : tuple of (str, str)
        Family and style, in every language that the file has them in; small letters.
    """

    path: Path
    index: int = 0
    names: tuple[tuple[str, str], ...] = ()


def find_font(font: str = FONT) -> Face:
    """The face of a font: the first of the file `font` if it is one, or that of an installed family of this name.

    Raises
    ------
    OSError
        If there is none.
    """
    if Path(font).is_file():
        return Face(Path(font))
    from matplotlib.font_manager import findSystemFonts

    # not the list of names that matplotlib keeps, which may be an old one
    faces = (face for path in sorted(findSystemFonts()) for face in read_faces(Path(path)))
    if face := choose_face(faces, font):
        return face
    raise OSError(
        f"no font {font!r} is installed; install one with Chinese characters (Debian: fonts-wqy-zenhei) or name another"
    )


def read_faces(path: Path) -> Iterator[Face]:
    """All faces of a font's file; none of one that cannot be read."""
    from fontTools.ttLib import TTFont

    index, count = 0, 1
    while index < count:
        try:
            with TTFont(path, fontNumber=index, lazy=True) as font:
                count = getattr(font.reader, "numFonts", 1)
                entries = {(row.nameID, row.toUnicode("replace").lower()) for row in font["name"].names}
        except Exception:  # noqa: BLE001  bitmap and damaged fonts: readers raise whatever they stumble over
            return
        texts = {number: sorted(text for name, text in entries if name == number) for number in (1, 2, 16, 17)}
        # a family of four styles (1, 2) and, where there are more, the family of all (16, 17)
        names = [(family, style) for a, b in ((1, 2), (16, 17)) for family in texts[a] for style in texts[b]]
        yield Face(path, index, tuple(names))
        index += 1


def choose_face(faces: Iterable[Face], family: str) -> Face | None:
    """The first face of a family in its plain style; the first of any style where it has none so."""
    order = dict(zip(REGULAR, range(len(REGULAR)), strict=True))
    named = [(order.get(style, len(order)), face) for face in faces for n, style in face.names if n == family.lower()]
    return min(named, key=lambda pair: pair[0])[1] if named else None


def draw_characters(font: str, wanted: str, size: int = SIZE) -> np.ndarray:
    """Characters as uint8 [N, size, size], bright strokes (255) on dark ground (0), centred, 7/8 of the frame high.

    Raises
    ------
    OSError
        If there is no such font, it is none, or it lacks characters; the message names both.
    """
    from fontTools.ttLib import TTFont
    from PIL import Image, ImageDraw, ImageFont

    face = find_font(font)
    path = face.path
    try:
        with TTFont(path, fontNumber=face.index, lazy=True) as opened:
            known = opened.getBestCmap() or {}
        style = ImageFont.truetype(str(path), size * 7 // 8, face.index)
    except Exception as error:  # noqa: BLE001  readers of what is no font raise whatever they stumble over
        raise OSError(f"{path}: not a font that can be read; give a .ttf, .otf or .ttc file, or a family") from error
    if missing := [letter for letter in wanted if known.get(ord(letter), ".notdef") == ".notdef"]:
        some = "".join(missing[:5]) + " ..." * (len(missing) > 5)
        raise OSError(
            f"{path.name}: lacks {len(missing)} of {len(wanted)} characters ({some}); choose a font that has them"
        )
    drawn = np.empty((len(wanted), size, size), np.uint8)
    for place, letter in enumerate(wanted):
        frame = Image.new("L", (size, size))
        ImageDraw.Draw(frame).text((size / 2, size / 2), letter, fill=255, font=style, anchor="mm")
        drawn[place] = np.asarray(frame)
    return drawn


def glyph_images(font: str, count: int, size: int = SIZE) -> np.ndarray:
    """Chinese characters, float32 [count, size, size, 1] in [0, 1]; see `characters` and `draw_characters`."""
    return draw_characters(font, characters(count), size)[..., None].astype(np.float32) / 255


def strokes(count: int = 5, size: int = SIZE) -> np.ndarray:
    """Even diagonal strokes, float32 [size, size] in [0, 1]: no character, though each stroke could be part of one.

    They run from lower left to upper right, equally far apart, as wide as the strokes of a font (1/16 of the frame).
    """
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    across, along = (x + y) / np.sqrt(2), (x - y) / np.sqrt(2)
    pitch, width, length = 0.8 * size / count, size / 16, 0.75 * size
    nearest = np.clip(np.rint(across / pitch + (count - 1) / 2), 0, count - 1) - (count - 1) / 2
    # edges one pixel wide, as those of a drawn line
    side = np.clip(width / 2 - np.abs(across - nearest * pitch) + 0.5, 0, 1)
    end = np.clip(length / 2 - np.abs(along) + 0.5, 0, 1)
    return (side * end).astype(np.float32)


def glyphs_of_size(size: str, font: str = FONT) -> Photographs:
    """The characters of a size of a run; size smoke has letters of the font that comes with matplotlib, unless another
    font is named: no font has to be installed for it."""
    if size == "smoke" and font == FONT:
        from matplotlib import get_data_path

        return open_glyphs(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", CHARACTERS[size], LETTERS)
    return open_glyphs(font, CHARACTERS[size])


def open_glyphs(font: str = FONT, count: int = 1000, block: tuple[int, int] = HAN) -> Photographs:
    """Characters as a data set, four fifths to train on; neighbours in Unicode, which look alike, are in one split.

    Split ``strokes`` holds `strokes`, as often as it is to be drawn with noise.

    Raises
    ------
    ValueError, OSError
        As `characters`, `find_font` and `draw_characters`; or if there are too few characters for three splits.
    """
    wanted = characters(count, block)
    ends = np.rint(np.cumsum([0, *PARTS.values()]) * count).astype(int)
    if np.diff(ends).min() < 1:
        raise ValueError(f"{count} characters: too few to train, validate and test with; take 10 or more")
    names = [f"U+{ord(letter):04X}" for letter in wanted]
    # blocks of 20 by turns, so that every split has all radicals
    order = np.random.default_rng(0).permutation(np.arange(0, count, 20))
    order = np.concatenate([np.arange(start, min(start + 20, count)) for start in order])
    splits = {s: tuple(names[i] for i in order[a:b]) for s, a, b in zip(PARTS, ends[:-1], ends[1:], strict=True)}
    splits[STROKES] = tuple(f"{STROKES}-{i}" for i in range(DRAWS))
    images = dict(zip(names, draw_characters(font, wanted), strict=True))
    images |= dict.fromkeys(splits[STROKES], np.rint(255 * strokes()).astype(np.uint8))
    return Photographs("glyphs", images, splits, alike=(STROKES,))


# ---------------------------------------------------------------------------------------------------- choosing
@dataclass(frozen=True)
class Glyphs:
    """All pictures of a split.

    Parameters
    ----------
    per_unit : int
        Without effect: every character is one picture.
    """

    per_unit: int = 0

    def images(self, data: Photographs, split: str) -> Images:
        """The pictures of one split."""
        place = {item["id"]: index for index, item in enumerate(data.items)}
        items = [place[name] for name in data.splits[split]]
        return Images(np.array(items, np.int32), np.array([data.items[index]["unit"] for index in items]))


# ---------------------------------------------------------------------------------------------------- images
@dataclass(frozen=True)
class ClippedUniform:
    """Uniform noise, clipped below zero, and the image rescaled to [0, 1]: ``v = max(clean + U(-a, a), 0)``, then
    ``(v - min v) / (max v - min v)`` over the image.

    Parameters
    ----------
    half_width : float
        a. The paper's 2 makes -10 dB of signal (the variance of a character, about 0.13) to noise (a² / 3).

    Notes
    -----
    The paper does not say how it rescales; here it is by the image's smallest and largest value. Clipping makes the
    noise depend on the signal and shifts its mean: ground of 0 becomes 0.17 on average and strokes of 1 become 0.38,
    with medians of 0 and 0.33. So a method that finds mean or median perfectly is still darker than the clean image.
    """

    half_width: float = 2.0

    def sample(self, key: jax.Array, clean: jax.Array) -> jax.Array:
        """A noisy image, float32 [..., H, W, C] in [0, 1]."""
        spread_out = jax.random.uniform(key, clean.shape, minval=-self.half_width, maxval=self.half_width)
        values = jnp.maximum(clean + spread_out, 0)
        low, high = (end(values, axis=(-3, -2, -1), keepdims=True) for end in (jnp.min, jnp.max))
        return (values - low) / jnp.where(high > low, high - low, 1)


@dataclass(frozen=True)
class GlyphImaging:
    """Characters in [0, 1] with noise.

    Parameters
    ----------
    noise : ClippedUniform
    """

    noise: ClippedUniform = field(default_factory=ClippedUniform)

    protocol: ClassVar[str] = "glyph"
    channels: ClassVar[tuple[str, ...]] = ("image",)

    def contract(self, clamp: bool = True) -> dict:
        """How `metrics.image.score` is to compare two images; nothing is clamped."""
        return {"protocol": self.protocol}

    def device_arrays(self, data: Photographs, images: Images) -> dict:
        """What `crops.MovieCrops.batch` draws from: every picture recorded once, noise and all, a movie by itself.

        The noise of a picture depends on its place in the data set alone.
        """
        key = jax.random.key(RECORDING_NOISE)
        draw = jax.jit(jax.vmap(lambda place, clean: self.noise.sample(jax.random.fold_in(key, place), clean)))
        noisy = draw(jnp.asarray(images.item), self.clean_images(data, images))
        return with_statistics(noisy, np.arange(len(images)))

    def clean_images(self, data: Photographs, images: Images) -> np.ndarray:
        """The pictures without noise, float32 [M, size, size, 1] in [0, 1]."""
        return np.stack([data.image(index) for index in images.item])[..., None].astype(np.float32) / 255


KINDS = (
    Kind(
        "glyphs",
        GlyphImaging(),
        Glyphs(),
        MovieCrops(),
        "grey value from 0 to 1",
        "Chinese characters drawn from an installed font.",
        make=glyphs_of_size,
    ),
)
