"""Owns meter values: normalises every reading of every version and stores it once."""
