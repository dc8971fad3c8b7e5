"""Measures of images, atoms and networks. Each module stands alone: import it by name."""
