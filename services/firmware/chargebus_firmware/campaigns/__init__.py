"""Campaigns: an image is rolled out to many stations, in waves that wait for each other's health."""
