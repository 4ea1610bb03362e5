"""Who is connected, and when stations were last heard."""
