"""Variables, their names, values and how they are read and changed; pure."""
