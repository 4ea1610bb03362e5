"""Queries about connections and the edges that hold them."""
