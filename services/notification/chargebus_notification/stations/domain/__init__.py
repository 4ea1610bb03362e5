"""What is known of stations, and how what is told adds up to it; pure."""
