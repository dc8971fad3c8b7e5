"""A data set on disk, lists of its images, crops to train on, and one module for each kind of data."""
