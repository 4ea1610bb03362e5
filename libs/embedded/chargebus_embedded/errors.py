"""What can go wrong with an embedded server; every message is one a newcomer can act on."""


class EmbeddedError(Exception):
    """An embedded server cannot be had; the message says why and what to do."""


class PortTakenError(EmbeddedError):
    """Another program listens on the port that was asked for."""


class JarsUnavailableError(EmbeddedError):
    """Apache Kafka's jars are neither in the cache nor to be had from Maven Central."""


class StartError(EmbeddedError):
    """The server's process ended, or never answered; the message ends with the tail of its log."""
