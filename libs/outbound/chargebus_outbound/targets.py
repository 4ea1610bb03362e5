"""Where requests may go: URLs that others name, and the networks that they may lie in. Pure.

A service that asks wherever somebody tells it to is a way into the network that it stands in (SSRF). So names are
looked up once, each address that comes of it is checked, and the connection goes to that very address.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

import msgspec

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_REFUSED: Final[Sequence[tuple[str, str]]] = (
    ("::ffff:0:0/96", "an IPv4 address in the form of IPv6"),
    ("::/96", "an IPv4 address in the form of IPv6"),
    ("64:ff9b::/96", "an IPv4 address behind NAT64"),
    ("64:ff9b:1::/48", "an IPv4 address behind NAT64"),
    ("2001::/32", "an IPv4 address behind Teredo"),
    ("2002::/16", "an IPv4 address behind 6to4"),
    ("fec0::/10", "private"),
    ("100.64.0.0/10", "shared by a provider's customers"),
    ("168.63.129.16/32", "a cloud's own service"),
    ("192.88.99.0/24", "an IPv4 address behind 6to4"),
    *((network, "reserved") for network in ("0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15")),
    *((network, "reserved") for network in ("198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "100::/64")),
    *((network, "reserved") for network in ("2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16")),
)
_NETWORKS: Final = tuple((ip_network(network), why) for network, why in _REFUSED)
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")
NAME: Final = re.compile(
    r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.?", re.IGNORECASE
)
_NUMBER: Final = re.compile(r"([0-9]+|0x[0-9a-f]*)\.?", re.IGNORECASE)
_MOST_URL: Final = 2048


class Target(msgspec.Struct, frozen=True):
    """Where a URL leads; `host` is a name or an address without brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the header `Host` says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def address(self) -> Address | None:
        """The address that the host is, where it is no name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None


_PORTS: Final = {"https": 443, "http": 80}


class UnfitUrlError(ValueError):
    """A URL is none that messages can be asked; the message says why."""


def target(url: str, *, plain: bool) -> Target:
    """Take a URL apart; `plain` allows http.

    Raises:
        UnfitUrlError: it is not one to which requests may go.
    """
    if not _PRINTABLE.fullmatch(url) or "\\" in url or len(url) > _MOST_URL:
        raise UnfitUrlError(f"a URL has at most {_MOST_URL} characters of ASCII, no spaces and no backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UnfitUrlError("it is no URL") from error
    if parts.scheme not in (("https", "http") if plain else ("https",)):
        raise UnfitUrlError("its scheme must be https" + (" or http" if plain else ""))
    if "@" in parts.netloc:
        raise UnfitUrlError("it must hold no user and no password: headers may")
    if parts.fragment or url.endswith("#"):
        raise UnfitUrlError("it must have no fragment")
    if port == 0:
        raise UnfitUrlError("there is no port 0")
    host = _host(parts.hostname or "", bracketed="[" in parts.netloc)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or _PORTS[parts.scheme], path)


def refusal(address: Address, allowed: Iterable[Network]) -> str:
    """Return why nothing may be sent to an address; empty if it may."""
    if any(address.version == network.version and address in network for network in allowed):
        return ""
    scoped = isinstance(address, IPv6Address) and address.scope_id is not None
    kinds = (
        (address.is_loopback, "this machine"),
        (address.is_link_local or scoped, "link-local"),
        (address.is_multicast, "multicast"),
        (address.is_unspecified, "no address"),
        *((address in network, why) for network, why in _NETWORKS if network.version == address.version),
        (address.is_private, "private"),
        (address.is_reserved or not address.is_global, "reserved"),
    )
    return next((why for applies, why in kinds if applies), "")


def refused(why: str, allowed_by: str) -> str:
    """Return what is said of an address to which nothing may be sent; `allowed_by` is the setting that may allow it."""
    return f"its address is refused ({why}); {allowed_by} may allow its network"


def _host(host: str, *, bracketed: bool) -> str:
    """Return a host that means the same to everybody: decimal, octal and short forms of addresses do not."""
    if bracketed:
        if "%" in host:
            raise UnfitUrlError("an IPv6 address of one interface (%) means nothing to others")
        try:
            return str(IPv6Address(host))
        except ValueError as error:
            raise UnfitUrlError("what is in brackets is no IPv6 address") from error
    if not NAME.fullmatch(host):
        raise UnfitUrlError("its host is no name in ASCII, and no address")
    if not _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        return host
    try:
        return str(IPv4Address(host))
    except ValueError as error:
        raise UnfitUrlError("its host is no IPv4 address of four decimal numbers") from error
