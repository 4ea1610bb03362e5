"""What a meter reading is, whatever the version that brought it: units, identity, and what is no number."""
