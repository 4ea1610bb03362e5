"""Test fixtures: Kafka, PostgreSQL, one service, a whole system in processes."""
