"""The database of API keys, and the file with an administrator's."""
