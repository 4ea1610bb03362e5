"""TLS at the edge: certificates, keys and trust anchors from files, the handshakes, and what came out of each."""
