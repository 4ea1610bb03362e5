"""Who is told of which alerts, when, and what becomes of it; pure."""
