"""What is asked of responders, and what their answers are worth. Pure."""
