"""The database of images."""
