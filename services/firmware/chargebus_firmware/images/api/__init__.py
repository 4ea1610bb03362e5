"""HTTP in: images, their contents, and uploads that may be interrupted."""
