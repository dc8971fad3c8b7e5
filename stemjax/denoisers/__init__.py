"""Denoising methods: one file, one frozen dataclass each.

A denoiser has a pure method ``denoise(variables, noisy, key=None) -> denoised`` on float32 [B, H, W, C] in counts.
Trainable ones add ``init(key, sample) -> variables`` and ``loss(variables, batch, key) -> (loss, (new_state,
measurements))``; a trainable one that needs statistics of a whole image takes them in ``prepare(variables, noisy) ->
variables``, before the image is cut in tiles. Classical filters have no variables, and a class attribute `tunable` with
the values to try on the validation split. One that needs a package which stemjax does not install by itself names it in
a class attribute `requires`.
"""

import importlib.util


def missing_package(denoiser) -> str:
    """The package that a denoiser `requires` and that is not installed here; empty if there is none."""
    package = getattr(denoiser, "requires", "")
    return package if package and importlib.util.find_spec(package) is None else ""
