"""What is refused about sites."""

from collections.abc import Sequence

import msgspec


class Objection(msgspec.Struct, frozen=True):
    """Why something is refused; `where` is the place in its document, such as `nodes.3.parent_id`."""

    where: str
    what: str


class SiteError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownSiteError(SiteError):
    """There is no such site."""

    def __init__(self, site_id: str) -> None:
        super().__init__(f"There is no site {site_id}; PUT /v1/sites/{site_id} describes one.")


class UnknownNodeError(SiteError):
    """The site has no such node, or one that has no meter of its own."""


class ChangedSiteError(SiteError):
    """The site is not of the version from which somebody changed it."""


class UnfitSiteError(SiteError):
    """The site's parts do not fit together, or not beside other sites."""

    def __init__(self, objections: Sequence[Objection]) -> None:
        super().__init__("; ".join(objection.what for objection in objections))
        self.objections = objections
