"""A kind of data: all that training, evaluation, export, cards and the leaderboard ask about one."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from stemjax.data.images import Frames


@dataclass(frozen=True)
class Kind:
    """A kind of data.

    Parameters
    ----------
    name : str
        Of its data sets, as their manifests have it.
    imaging : dataclass
        How its images are recorded unless somebody says otherwise.
    selection : dataclass
        Which of its images are learnt from and scored.
    crops : dataclass
        Batches of it to train on.
    unit : str
        Of the intensities.
    about : str
        What a data set holds, for its card.
    simulate : str
        Arguments of `stemjax simulate` that make it; "" where it needs no folder.
    maker : str
        The module of `simulation` that makes it from its size alone, by ``make_MAKER(folder, size=size, **options)``.
    options : dict
        What else that function is told.
    make : callable, optional
        Size -> the data set, where it needs no folder.
    """

    name: str
    imaging: Any
    selection: Any
    crops: Any
    unit: str
    about: str
    simulate: str = ""
    maker: str = ""
    options: dict = field(default_factory=dict)
    make: Callable[[str], Any] | None = None

    @property
    def has_frames(self) -> bool:
        """Whether its images are frames of movies."""
        return isinstance(self.selection, Frames)

    def fits(self, run) -> bool:
        """Whether a training for another kind could be one for this: with as many channels, and crops of this sort."""
        alike = len(run.imaging.channels) == len(self.imaging.channels)
        return alike and type(run.crops) is type(self.crops)

    def of_run(self, run):
        """That training, for this kind."""
        return replace(run, imaging=self.imaging, selection=self.selection)
