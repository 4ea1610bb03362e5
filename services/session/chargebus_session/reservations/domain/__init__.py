"""Owns what becomes of reservations, and how many a station has room for."""
