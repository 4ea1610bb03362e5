"""Asking OCSP responders over HTTP."""

import ssl
from collections.abc import Sequence
from typing import Final

from chargebus_certificates.proof import NoProofError
from chargebus_outbound.client import Client, OutboundError
from chargebus_outbound.network import CheckedNetwork, system_resolver

from chargebus_edge.door.revocation import Ask
from chargebus_edge.tls.proxy import Network

WITHIN_S: Final = 4.0
MOST_BYTES: Final = 64 * 1024
_OK: Final = 200


def asking(networks: Sequence[Network]) -> Ask:
    """Return what asks responders, which lie in public networks or in these."""
    network = CheckedNetwork(system_resolver(2), networks, "EDGE_TLS_OCSP_NETWORKS")
    client = Client(network, ssl.create_default_context(), within_s=WITHIN_S, most_bytes=MOST_BYTES)

    async def ask(url: str, request: bytes) -> bytes:
        try:
            reply = await client.post(url, {"Content-Type": "application/ocsp-request"}, request)
        except OutboundError as error:
            raise NoProofError(str(error)) from error
        if reply.status != _OK:
            raise NoProofError(f"the responder answered {reply.status}")
        return reply.body

    return ask
