"""What becomes of commands: pure values and decisions, without a clock, a database or a broker."""
