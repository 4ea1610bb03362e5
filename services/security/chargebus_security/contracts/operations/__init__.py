"""Pools asked, contracts checked, and calls answered with what came of it."""
