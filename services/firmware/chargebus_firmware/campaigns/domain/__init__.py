"""What a campaign is, which stations are in it, and what is to be done next; pure."""
