"""A virtual charging station for OCPP 1.6J, 2.0.1 and 2.1."""
