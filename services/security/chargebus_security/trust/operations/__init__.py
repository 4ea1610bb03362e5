"""What is done about roots on stations: what is wanted, asked, answered, looked at."""
