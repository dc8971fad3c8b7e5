"""What tests of the command line share."""

from dataclasses import replace

import pytest

from stemjax.denoisers.noise2void import Noise2Void
from stemjax.denoisers.supervised import Supervised
from stemjax.models import presets
from stemjax.networks import DnCNN, N2VUNet


@pytest.fixture(scope="module")
def tiny_networks():
    """The presets with networks that compile in a moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("STEMJAX_TRACEBACK", raising=False)
        for name, channels in (("noise2void", 2), ("noise2void-single", 1)):
            tiny = Noise2Void(N2VUNet(depth=1, width=4, channels_out=channels), pitch=4, jitter=0, window=5)
            patch.setitem(presets.PRESETS, name, replace(presets.PRESETS[name], cpu=tiny))
        tiny = Supervised(DnCNN(depth=3, width=2))
        patch.setitem(presets.PRESETS, "sbd-dncnn", replace(presets.PRESETS["sbd-dncnn"], cpu=tiny))
        yield
