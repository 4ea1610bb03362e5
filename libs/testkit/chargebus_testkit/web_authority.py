"""An authority of the test's own that vouches for servers on the loopback interface."""

import ssl
from collections.abc import Sequence
from pathlib import Path

from chargebus_testkit.pki import SERVER, Authority


class WebAuthority:
    """An authority whose files lie in a folder; `ca_file` is its certificate."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = Authority.root("the test's authority")
        self.ca_file = self._root.write(folder, "authority")

    def server_context(self, names: Sequence[str] = ("localhost", "127.0.0.1")) -> ssl.SSLContext:
        """Return what a server speaks TLS with that has these names or addresses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._root.leaf(names[0], sans=names, usages=SERVER).write(self._folder, names[0]))
        return context
