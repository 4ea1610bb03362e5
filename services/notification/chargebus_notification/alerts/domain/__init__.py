"""The rules, the life of an alert, what is grouped and what is silenced; pure."""
