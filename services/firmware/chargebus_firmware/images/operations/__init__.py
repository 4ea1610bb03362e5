"""What is done with images, their contents and their uploads."""
