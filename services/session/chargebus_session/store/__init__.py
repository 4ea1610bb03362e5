"""Tables and set-based queries: one statement for a whole batch, whatever its size."""
