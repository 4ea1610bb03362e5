"""A raw station: it says over a real socket what a test tells it to say, right or wrong, and does nothing by itself."""
