"""What an edge of a test's system speaks TLS with, and the stations that connect to it."""

import ssl
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from chargebus_embedded import free_port
from chargebus_station.config import Tls
from cryptography.hazmat.primitives import serialization

from chargebus_testkit.pki import CLIENT, SERVER, Authority, Leaf, make_key, pem

_LIFE: Final = (timedelta(days=-1), timedelta(days=365))  # nobody is told that they expire


class TlsEdge:
    """Certificates in a folder, and the settings of an edge that uses them; it speaks plain `ws://` besides."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.root = Authority.root("a root of the test's own", valid=_LIFE)
        self._port = free_port()
        self._ca_file = self.root.write(folder, "root")
        leaves = [
            self.root.leaf("localhost", key=make_key(kind), sans=["localhost"], usages=SERVER, valid=_LIFE)
            for kind in _KINDS
        ]
        self._files = [leaf.write(folder, f"server-{number}") for number, leaf in enumerate(leaves)]

    @property
    def environment(self) -> dict[str, str]:
        """The settings."""
        return {
            "EDGE_TLS_PORT": str(self._port),
            "EDGE_TLS_CERTIFICATES": ",".join(str(certificate) for certificate, _ in self._files),
            "EDGE_TLS_KEYS": ",".join(str(key) for _, key in self._files),
            "EDGE_TLS_CLIENT_CA": str(self._ca_file),
        }

    @property
    def url(self) -> str:
        """Where stations connect, without an identity."""
        return f"wss://localhost:{self._port}/ocpp"

    def authority(self, folder: Path) -> Path:
        """Put an authority that the edge trusts into a folder, for `security` to sign with; return the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        issuing = self.root.sub("an issuing authority of the test's own", valid=_LIFE)
        (folder / "issuing.pem").write_text(pem(issuing.certificate) + pem(self.root.certificate))
        key = folder / "issuing.key"
        key.write_bytes(
            issuing.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        key.chmod(0o600)
        return folder

    def server_context(self) -> ssl.SSLContext:
        """Return what a server speaks TLS with that has the certificates and is no edge."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for certificate, key in self._files:
            context.load_cert_chain(certificate, key)
        return context

    def station(self, common_name: str, *, valid: tuple[timedelta, timedelta] = _LIFE) -> Tls:
        """Return what a station speaks TLS with that shows a certificate with this name."""
        return self.showing(self.root.leaf(common_name, usages=CLIENT, valid=valid))

    def showing(self, leaf: Leaf) -> Tls:
        """Return what a station speaks TLS with that shows a certificate."""
        certificate, key = leaf.write(self._folder, f"station-{leaf.certificate.serial_number:x}")
        return Tls(self._ca_file, certificate, key)

    def trusting(self) -> Tls:
        """Return what a station speaks TLS with that shows none."""
        return Tls(self._ca_file)


_KINDS: Final[Sequence[str]] = ("P-256", "RSA-2048")
