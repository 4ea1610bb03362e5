"""Stations with long offline queues: what they really did, how they tell it, and what must come of it.

`lives` throws the dice, `telling` puts a life into the words of a version, `delivery` brings them through a line that
breaks, and `reference` says what a system must make of it: from the lives alone, one charge at a time.
"""
