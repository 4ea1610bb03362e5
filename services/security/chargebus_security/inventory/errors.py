"""What is refused about certificates."""


class InventoryError(Exception):
    """What is asked for is refused; the message says why."""


class UnreadableCertificateError(InventoryError):
    """What was sent holds no readable certificates."""


class UnknownCertificateError(InventoryError):
    """There is no such certificate."""

    def __init__(self, certificate_id: str) -> None:
        super().__init__(f"There is no certificate {certificate_id}; GET /v1/certificates lists them.")


class NeededCertificateError(InventoryError):
    """It is wanted, in use or installed somewhere."""
