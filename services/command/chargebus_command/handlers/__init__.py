"""Kafka in: requests, reports of edges, presence and the registry, a batch at a time."""

from chargebus_command.handlers.batch import PRESENCE_S, TOPICS, Handlers, patience

__all__ = ["PRESENCE_S", "TOPICS", "Handlers", "patience"]
