"""What is wanted of stations, compared with what they have, and what is done about it; pure."""
