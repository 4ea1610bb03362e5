"""What campaigns refuse to do."""

from collections.abc import Sequence
from dataclasses import dataclass


class CampaignError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownCampaignError(CampaignError):
    """There is no such campaign."""


class CampaignStateError(CampaignError):
    """The campaign is in a state in which that cannot be done."""


@dataclass(frozen=True)
class Objection:
    """What is wrong with a part of a campaign that is asked for."""

    where: str
    what: str


class UnfitCampaignError(CampaignError):
    """A campaign that could not be carried out."""

    def __init__(self, objections: Sequence[Objection]) -> None:
        super().__init__("; ".join(f"{each.where}: {each.what}" for each in objections))
        self.objections = tuple(objections)
