"""The cells of an ablation: combinations of a network, a width, a crop size and a loss."""

from dataclasses import dataclass, replace
from itertools import product

from stemjax.denoisers.supervised import OBJECTIVES, Supervised
from stemjax.models import presets
from stemjax.networks import DURR, DnCNN, UNet
from stemjax.training.train import Run

NETWORKS = {
    "unet-2": (UNet, {"scales": 2}, "UNet, 2 scales"),
    "unet-4": (UNet, {"scales": 4}, "UNet, 4 scales"),
    "unet-6": (UNet, {"scales": 6}, "UNet, 6 scales"),
    "dncnn": (DnCNN, {"bias": True}, "DnCNN"),
    "durr": (DURR, {}, "Small UNet (DURR)"),
}


@dataclass(frozen=True)
class Cell:
    """One combination of an ablation.

    Parameters
    ----------
    network : str
        Key of `NETWORKS`.
    width : int
        Channels of the first layer.
    crop : int
        Side of the training crops [px]; 0 is that of the size.
    objective : str
        Key of `OBJECTIVES`.
    """

    network: str
    width: int
    crop: int = 0
    objective: str = "mse"

    @property
    def label(self) -> str:
        """The row of the table."""
        parts = [f"{NETWORKS[self.network][2]}, {self.width} base channels"]
        parts += [f"crops of {self.crop} px"] * bool(self.crop) + [self.objective] * (self.objective != "mse")
        return ", ".join(parts)

    @property
    def conditions(self) -> dict:
        """The axes, as a record keeps them, the crop aside."""
        return {"network": self.network, "width": self.width, "objective": self.objective}

    def build(self, size: str):
        """The network; below the paper's size its last layer starts small, as in every training of that size."""
        kind, options, _ = NETWORKS[self.network]
        return kind(width=self.width, last_layer_scale=1.0 if size == "gpu" else 0.1, **options)

    def run(self, size: str, recipe_hash: str, seed: int) -> Run:
        """Its training on Pt/CeO2."""
        denoiser = Supervised(self.build(size), centre=size != "gpu", objective=self.objective)
        run = presets.sbd_run(denoiser, size, recipe_hash, seed)
        return replace(run, crops=replace(run.crops, size=self.crop)) if self.crop else run


def grid(networks: tuple, widths: tuple, crops: tuple = (0,), objectives: tuple = ("mse",)) -> tuple[Cell, ...]:
    """Every combination.

    Raises
    ------
    ValueError
        If a network or a loss is unknown, or a width or crop impossible.
    """
    for known, chosen in ((NETWORKS, networks), (OBJECTIVES, objectives)):
        for name in chosen:
            if name not in known:
                raise ValueError(f"{name!r} is not one of {', '.join(known)}")
    if min(widths) < 2 or any(width % 2 for width in widths):
        raise ValueError(f"widths {widths}: each must be even and at least 2")
    if any(crop and crop < 32 for crop in crops):
        raise ValueError(f"crops {crops}: each must be at least 32 px")
    return tuple(Cell(*combination) for combination in product(networks, widths, crops, objectives))
