"""Plug & Charge: contract certificates fetched for vehicles from a pool, and checked where they are shown."""
