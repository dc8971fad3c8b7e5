"""Denoising methods: one file, one frozen dataclass each.

What a denoiser may have, and who asks for it, stands in `stemjax.denoisers.protocol`.
"""

import importlib.util

from stemjax.denoisers.protocol import ask


def missing_package(denoiser) -> str:
    """The package that a denoiser `requires` and that is not installed here; empty if there is none."""
    package = ask(denoiser, "requires")
    return package if package and importlib.util.find_spec(package) is None else ""
