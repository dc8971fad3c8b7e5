"""From a data set and a denoiser to weights: what decides a result, the loop, checkpoints, recipes."""
