"""From an image to a result, and from images to scores."""
