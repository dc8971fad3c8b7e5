"""`stemjax ablate`: what it says and refuses before it trains."""

from types import SimpleNamespace
from typing import get_args

import pytest

from experiments.cells import NETWORKS, grid
from stemjax.cli import main
from stemjax.cli.ablate import Loss, Network, refuse_impossible_crops
from stemjax.denoisers.supervised import OBJECTIVES
from stemjax.physics.optics import Band


def test_the_help_shows_the_defaults(capsys):
    assert main(["ablate", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for default in ("unet-2 unet-4 unet-6", "8", "0", "mse", "cpu", "ablation"):
        assert f"(default: {default})" in said


def test_the_names_that_it_takes_are_those_that_there_are():
    assert get_args(Network) == tuple(NETWORKS) and get_args(Loss) == tuple(OBJECTIVES)


@pytest.mark.parametrize(
    ("network", "crop", "size", "message"),
    [
        ("unet-2", 300, "cpu", "crops of 300 px: images of pt-ceo2 at size cpu hold 283 px at most"),
        ("unet-2", 446, "gpu", "hold 445 px at most"),
        ("unet-6", 50, "cpu", "crops of 50 px for UNet, 6 scales, 8 base channels.* at least 64 pixels a side"),
    ],
)
def test_a_crop_that_cannot_be_is_refused_in_one_line(network, crop, size, message):
    """283 px of 0.0979 Å, 4.6 % larger and turned by 45 degrees, fill the 50.1 Å of the cell without its margins."""
    data = SimpleNamespace(recipe_hash="0" * 16, band=Band(50.1), manifest={"name": "pt-ceo2"})
    with pytest.raises(ValueError, match=message):
        refuse_impossible_crops(grid((network,), (8,), (crop,)), size, data)
    refuse_impossible_crops(grid((network,), (8,), (0, 64)), size, data)
