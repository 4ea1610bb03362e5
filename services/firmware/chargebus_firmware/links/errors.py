"""What links refuse."""


class LinkError(Exception):
    """A transfer is refused; the message says why, to whoever holds a link."""


class UnknownLinkError(LinkError):
    """There is no such link."""


class EndedLinkError(LinkError):
    """There was such a link; its time is over."""


class RefusedTransferError(LinkError):
    """A link is not for that, or what it is for does not want it any more."""


class BrokenOffError(LinkError):
    """What was sent ended before its end."""


class TooManyTransfersError(LinkError):
    """As many transfers run as may."""
