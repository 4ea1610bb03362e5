"""What is asked of responders, and calls answered with it."""
