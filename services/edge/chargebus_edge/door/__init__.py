"""Who is let in: what an opening request says, passwords, the registry, and the decision about a handshake."""
