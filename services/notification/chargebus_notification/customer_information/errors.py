"""What is refused about customer information."""


class CustomerInformationError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownRequestError(CustomerInformationError):
    """There is no such request."""
