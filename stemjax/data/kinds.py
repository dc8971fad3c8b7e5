"""The kinds of data, each one entry: training, evaluation, export, cards and the leaderboard ask it, and nothing else
compares names of data sets.

To add a kind: a module here with its imaging, an entry below and its tags in `stemjax.config`, and what makes it in
`simulation`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from stemjax.data import glyphs, photographs
from stemjax.data.atoms import StillCrops, StillImaging, Stills
from stemjax.data.au_graphene import GrapheneImaging
from stemjax.data.crops import ClipCrops, MovieCrops
from stemjax.data.haadf_pt import HaadfImaging
from stemjax.data.hrtem_movies import IMAGING
from stemjax.data.images import Frames
from stemjax.data.lattice import LatticeImaging
from stemjax.data.micrographs import Crops, Imaging, Selection


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


_SBD = Imaging(sampling=0.0979, counts=1.8), Selection(contrast=("white",)), Crops(), "electrons per pixel"
_HRTEM_MOVIES = {
    "pt": "HRTEM movies of Pt nanoparticles on CeO2 whose surface changes, with known drift: exit waves of the "
    "states of every movie by multislice, and the state and place of every frame.",
    "au": "HRTEM movies of Au nanoparticles on amorphous carbon, with known drift: exit waves by multislice, "
    "and the state and place of every frame.",
    "co": "HRTEM movies of Co nanoparticles on CeO2, with known drift: exit waves by multislice, and the state "
    "and place of every frame.",
    "sbd": "HRTEM movies of a Pt nanoparticle on CeO2 that stands still and does not change, as in the movie of "
    "the SBD paper: exit waves by multislice.",
}
_ALL = (
    Kind(
        "pt-ceo2",
        *_SBD,
        "Exit waves of Pt nanoparticles on CeO2 by multislice: structures, thicknesses and tilts of the particle. A "
        "micrograph is a function of an exit wave, defocus, coherence and dose, computed when asked for.",
        "pt-ceo2",
    ),
    Kind(
        "pt-ceo2-surface",
        *_SBD,
        "Exit waves of a Pt nanoparticle on CeO2 whose surface lost or gained atoms: 44 structures, to test whether a "
        "denoised image shows the columns that are there.",
        "pt-ceo2 --surface",
    ),
    Kind(
        "au-graphene",
        GrapheneImaging(),
        Frames(),
        MovieCrops(),
        "fraction of the incident beam",
        "STEM movies of single Au atoms that move on graphene, in dark and bright field: a contrast library by "
        "multislice, positions of the atoms and drift of the specimen, from which frames are rendered.",
        "au-graphene",
    ),
    Kind(
        "haadf-pt",
        HaadfImaging(),
        Frames(session=()),
        MovieCrops(),
        "fraction of the incident beam",
        "HAADF STEM movies of Pt atoms and clusters that move on amorphous carbon: a contrast library by multislice "
        "and positions of the atoms, from which frames are rendered.",
        "haadf-pt",
    ),
    Kind(
        "lattice",
        LatticeImaging(),
        Frames(session=("lattice",)),
        MovieCrops(),
        "part of the brightest column",
        "Movies of a distorted crystal lattice of no real material, with known drift: the crystal is a function of the "
        "movie's number, so what is stored is the drift of every frame.",
        "lattice",
    ),
    *(
        Kind(
            f"movies-{metal}",
            IMAGING[metal],
            Frames(session=()),
            ClipCrops(),
            "readings of the camera",
            about,
            f"movies {metal}",
        )
        for metal, about in _HRTEM_MOVIES.items()
    ),
    Kind(
        "atoms",
        StillImaging(),
        Stills(),
        StillCrops(),
        "electrons per pixel",
        "Clean stills of atoms from other data sets and of drawn crystals, stored once, to train one network for many "
        "kinds of images.",
        "atoms",
    ),
    Kind(
        "scikit-image-photographs",
        photographs.PhotographImaging(),
        photographs.EveryPhotograph(),
        photographs.PhotographCrops(),
        "grey value from 0 to 1",
        "Photographs that come with scikit-image, in grey.",
        make=lambda size: photographs.open_photographs(),
    ),
    Kind(
        "glyphs",
        glyphs.GlyphImaging(),
        glyphs.Glyphs(),
        MovieCrops(),
        "grey value from 0 to 1",
        "Chinese characters drawn from an installed font.",
        make=glyphs.glyphs_of_size,
    ),
)
KINDS = {kind.name: kind for kind in _ALL}


def kind_of(data) -> Kind:
    """The kind of a data set.

    Raises
    ------
    ValueError
        If it is of no kind that is known.
    """
    if data.name not in KINDS:
        raise ValueError(f"{data.folder}: a data set of the unknown kind {data.name}; there are {', '.join(KINDS)}")
    return KINDS[data.name]
