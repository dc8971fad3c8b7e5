"""Simulated data sets: atomic models (ASE), exit waves (abTEM), folders of them. The only place that imports either."""
