"""The header of PROXY protocol 2, by which a proxy that passes TCP on says for whom. Pure.

Spec: https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt, 2.2
"""

import ipaddress
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
BEGINNING_BYTES: Final = 16
MOST_BYTES: Final = 2048
"""What may follow the beginning: addresses, and what else a proxy has to say."""

_LOCAL: Final = 0x20
_PROXIED: Final = 0x21
_UNSPECIFIED, _IPV4, _IPV6 = 0x00, 0x11, 0x21

_SSL: Final = 0x20  # PP2_TYPE_SSL
_CLIENT_SSL: Final = 0x01

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ProxyHeaderError(ValueError):
    """What a trusted address sent is no header, or none that can be understood."""


class Proxied(NamedTuple):
    """For whom a proxy passes on; `encrypted`: it ended their TLS.

    None: the proxy's own address counts, since it comes for itself (a health check) or does not say for whom.
    """

    address: tuple[str, int] | None
    encrypted: bool = False


def is_trusted(host: str, networks: Sequence[Network]) -> bool:
    """Tell whether an address lies in one of the networks; one of IPv4 may be written as one of IPv6."""
    if not networks:
        return False
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return any((mapped or address) in network for network in networks)


def length(beginning: bytes) -> int:
    """Return how many bytes follow the first 16.

    Raises:
        ProxyHeaderError: they begin no header, or one that is too long.
    """
    if not beginning.startswith(SIGNATURE) or len(beginning) != BEGINNING_BYTES:
        raise ProxyHeaderError("no header of PROXY protocol 2")
    follow: int = struct.unpack("!H", beginning[14:])[0]
    if follow > MOST_BYTES:
        raise ProxyHeaderError(f"a header of PROXY protocol 2 of {follow} bytes")
    return follow


def read(beginning: bytes, rest: bytes) -> Proxied:
    """Return what a header says, of its first 16 bytes and those that follow.

    Raises:
        ProxyHeaderError: it cannot be understood.
    """
    command, family = beginning[12], beginning[13]
    if command == _LOCAL:
        return Proxied(None)
    if command != _PROXIED:
        raise ProxyHeaderError(f"PROXY protocol: command {command:#x}")
    if family == _UNSPECIFIED:
        return Proxied(None)
    size = {_IPV4: 4, _IPV6: 16}.get(family)
    if size is None:
        raise ProxyHeaderError(f"PROXY protocol: family {family:#x}")
    if len(rest) < 2 * size + 4:
        raise ProxyHeaderError("PROXY protocol: too short for its addresses")
    host = str(ipaddress.ip_address(rest[:size]))
    (port,) = struct.unpack_from("!H", rest, 2 * size)
    return Proxied((host, port), _ended_tls(rest[2 * size + 4 :]))


def _ended_tls(said: bytes) -> bool:
    head = struct.Struct("!BH")
    while len(said) >= head.size:
        kind, size = head.unpack_from(said)
        value, said = said[head.size : head.size + size], said[head.size + size :]
        if kind == _SSL and len(value) == size and size >= 1:
            return bool(value[0] & _CLIENT_SSL)
    return False
