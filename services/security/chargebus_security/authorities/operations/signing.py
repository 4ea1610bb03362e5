"""The one interface of authorities."""

from collections.abc import Sequence
from typing import Protocol

from cryptography import x509

from chargebus_security.authorities.domain.profiles import Answer, Profile
from chargebus_security.authorities.domain.requests import SigningRequest


class Authority(Protocol):
    """Signs what was checked. It may be asked for the same request again, after a process was killed."""

    @property
    def name(self) -> str:
        """Under which it is known here."""
        ...

    async def sign(self, request: SigningRequest, profile: Profile) -> Answer:
        """Return the certificate for a request, when to ask again, or why there is none. It does not raise."""
        ...

    async def certificates(self) -> Sequence[x509.Certificate]:
        """Return its own certificates: intermediates, and the root that is to be trusted last."""
        ...
