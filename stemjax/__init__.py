"""stemjax: benchmarks for denoising atomic-resolution electron microscopy, in JAX."""

__version__ = "0.1.0"
