"""What links are for, and what is done with them."""
