"""One firmware update: what is known of it, what is told of it, and what time does with it. Pure."""
