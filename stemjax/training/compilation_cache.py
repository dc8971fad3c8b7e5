"""Compiled programs kept on disk: set before JAX is loaded, so that nothing has to load it for this."""

import os
import sys
from pathlib import Path

LEAST_S = 0.5  # programs that took less time to compile are not kept


def enable_compilation_cache() -> None:
    """Keep compiled programs in the user's cache folder: a second start then takes a fraction of the time.

    ``STEMJAX_CACHE`` names another folder; empty, it turns the cache off.
    """
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "stemjax"
    folder = os.environ.get("STEMJAX_CACHE", str(default))
    if not folder:
        return
    settings = {"jax_compilation_cache_dir": folder, "jax_persistent_cache_min_compile_time_secs": LEAST_S}
    if jax := sys.modules.get("jax"):
        for name, value in settings.items():
            jax.config.update(name, value)
    else:
        os.environ.update({name.upper(): str(value) for name, value in settings.items()})
