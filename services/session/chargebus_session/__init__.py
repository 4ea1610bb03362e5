"""Owns tokens and transactions: authorization, charging sessions, remote start and stop."""
