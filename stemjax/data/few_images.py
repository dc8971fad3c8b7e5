"""Noisy images to learn from without a clean one: the frames of the movie that is denoised, or a few recorded stills.

A method that learns from noisy images alone may learn from the very ones it is for. What it must not see is their noise
drawn anew, as supervised training has it in every step: each image is recorded once.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.data.batches import Imaging
from stemjax.data.datasets import DataSet, Images, Selection
from stemjax.data.movies import RECORDING_NOISE, FrameList, spread


@dataclass(frozen=True)
class OneMovie:
    """The frames of one movie, of whatever split, to learn from what is to be denoised.

    Parameters
    ----------
    movie : str
        Its id in the data set.
    held_out : int
        So many of its last frames validate and are not learnt from; 0 validates with the frames that are.
    learnt : int
        So many of its first frames are learnt from; 0 is all that are not held out.
    per_unit : int
        At most so many frames, spread evenly; 0 is no limit.
    """

    movie: str
    held_out: int = 0
    learnt: int = 0
    per_unit: int = 0

    def images(self, data: DataSet, split: str) -> FrameList:
        """The frames of split "train" or "validation".

        Raises
        ------
        ValueError
            If there is no such movie or split, or no frame is left to learn from.
        """
        if split not in ("train", "validation"):
            raise ValueError(f"{self.movie}: no split {split!r} of one movie, only 'train' and 'validation'")
        found = [index for index, item in enumerate(data.items) if item["id"] == self.movie]
        if not found:
            raise ValueError(f"{data.folder}: no movie {self.movie!r}; it has {[item['id'] for item in data.items]}")
        count = data.items[found[0]]["frames"]
        if self.held_out >= count:
            raise ValueError(f"{self.movie}: {count} frames, of which {self.held_out} cannot be held out: choose fewer")
        frames = np.arange(count - self.held_out)[: self.learnt or None]
        if split == "validation" and self.held_out:
            frames = np.arange(count - self.held_out, count)
        frames = spread(frames, self.per_unit or len(frames))
        rows = np.full(len(frames), found[0], np.int32)
        return FrameList(rows, frames.astype(np.int32), np.full(len(frames), self.movie))


@dataclass(frozen=True)
class FewImages(Selection):
    """So many images (`total`) to learn from, and whatever their number the same few to validate with.

    Parameters
    ----------
    validation_per_unit : int
        Validation images of each structure.
    """

    validation_per_unit: int = 1

    def images(self, data: DataSet, split: str) -> Images:
        """The images of one split, see `datasets.Selection.images`."""
        chosen = self if split == "train" else replace(self, total=0, per_unit=self.validation_per_unit)
        return Selection.images(chosen, data, split)


@dataclass(frozen=True)
class RecordedStills(Imaging):
    """Images of simulated structures, each recorded once, as by a microscope."""

    def device_arrays(self, data: DataSet, images: Images) -> dict:
        """What `hrtem_movies.ClipCrops.batch` draws from: ``noisy`` float32 [M, 1, P, P, 1], movies of one frame.

        The noise of an image depends on its structure and its defocus alone: it has the same in any list.
        """
        clean, key = self.clean_images(data, images), jax.random.key(RECORDING_NOISE)
        draw = jax.jit(
            lambda item, defocus, image: self.noise.sample(
                jax.random.fold_in(jax.random.fold_in(key, item), defocus), image
            )
        )
        rows = zip(images.item, np.rint(images.defocus).astype(np.int32), clean, strict=True)
        return {"noisy": jnp.stack([draw(*row) for row in rows])[:, None]}
