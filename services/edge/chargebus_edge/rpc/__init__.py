"""OCPP-J: the sockets, the framing, and the calls in both directions."""
