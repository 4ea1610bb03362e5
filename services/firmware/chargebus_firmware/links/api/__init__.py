"""Links over HTTP, on a listener of their own."""
