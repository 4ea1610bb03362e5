"""Owns what OCPP 2.1 adds to 2.0.1."""

from typing import Any


def stream_refused() -> dict[str, Any]:
    """Return OpenPeriodicEventStreamResponse: nobody reads streams yet, so none is opened.

    Spec: OCPP 2.1 N11
    """
    return {"status": "Rejected"}
