"""Owns the command ledger: finds the edge, queues, expires, records the outcome."""
