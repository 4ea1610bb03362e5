"""What security refuses to do about authorities."""


class AuthorityError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownAuthorityError(AuthorityError):
    """There is no such authority here."""


class UnknownCertificateError(AuthorityError):
    """No such certificate was issued."""


class AuthorityAwayError(AuthorityError):
    """It cannot sign now: it is tried again."""


class NotRevocableError(AuthorityError):
    """It is somebody else's to revoke."""
