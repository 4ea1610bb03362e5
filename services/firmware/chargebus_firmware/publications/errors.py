"""What firmware refuses to do about publications."""


class PublicationError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownPublicationError(PublicationError):
    """There is no such publication."""


class UnknownControllerError(PublicationError):
    """There is no such local controller."""


class BusyControllerError(PublicationError):
    """The controller is at another publication, or has the file already."""


class SecretError(PublicationError):
    """The address holds a secret, which cannot be sent without a key to seal it with."""


class UnpublishedError(PublicationError):
    """It is not published, so it cannot be taken back."""


class UnknownImageError(PublicationError):
    """There is no such image, or it has no content."""


class UnfitPublicationError(PublicationError):
    """The image cannot be published like that; the message says why."""
