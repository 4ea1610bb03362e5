"""Holds the stations' WebSockets and puts every frame on Kafka."""
