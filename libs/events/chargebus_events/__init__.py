"""Topics and public event records."""
