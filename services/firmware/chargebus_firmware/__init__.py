"""Images, campaigns, logs."""
