"""What the other side of a TLS connection showed."""

import asyncio
import ssl
from typing import Any, NamedTuple


class Shown(NamedTuple):
    """A client's certificate and those above it, as the handshake proved them, in DER.

    Of a session that is resumed, those above are not known.
    """

    leaf: bytes
    chain: tuple[bytes, ...]
    resumed: bool = False


def shown(transport: asyncio.BaseTransport) -> Shown | None:
    """Return what a client showed, None if nothing, or where no TLS is spoken."""
    spoken = transport.get_extra_info("ssl_object")
    leaf = None if spoken is None else spoken.getpeercert(binary_form=True)
    return None if leaf is None else Shown(leaf, _above(spoken, leaf), bool(spoken.session_reused))


def _above(spoken: ssl.SSLObject, leaf: bytes) -> tuple[bytes, ...]:
    """Return the certificates of the verified chain but the first.

    Before Python 3.13, they are to be had of what `ssl` wraps only.
    """
    inside: Any = spoken if hasattr(spoken, "get_verified_chain") else getattr(spoken, "_sslobj", None)
    chain = inside.get_verified_chain() if hasattr(inside, "get_verified_chain") else None
    der = [each if isinstance(each, bytes) else each.public_bytes(_DER) for each in chain or ()]
    return tuple(each for each in der if each != leaf)


_DER = 2  # ssl's _ssl.ENCODING_DER
