"""Queries about sessions: of a batch before and after its decisions, and those that operators ask."""
