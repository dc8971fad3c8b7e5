"""Named models: presets, and the weights that ship with stemjax."""
