"""What is decided about tokens and transactions; pure: no I/O, no clock, no version of OCPP."""
