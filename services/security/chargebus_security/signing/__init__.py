"""Certificates for stations: asked for by them, signed by an authority, brought to them, renewed in time."""
