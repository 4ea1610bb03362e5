"""What is decided about transactions; pure: no I/O, no clock, no version of OCPP."""
