"""Who arrived at a listener of ours, before anything of HTTP is read."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a connection comes from; `proxy` is the trusted one that brought it, empty without one.

    `encrypted`: TLS is spoken, with this edge or, as its proxy says, with that. `answered` is to be called when its
    opening request is answered, or it is gone: until then it counts among those that arrive.
    """

    host: str
    port: int
    encrypted: bool
    proxy: str = ""
    answered: Callable[[], None] = field(default=lambda: None, compare=False)

    @property
    def is_of_a_proxy_itself(self) -> bool:
        """Whether a trusted proxy comes for itself: it often only looks whether somebody is here, and hangs up."""
        return bool(self.proxy) and self.proxy == self.host

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}" if self.host else ""
