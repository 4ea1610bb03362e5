"""Which links end as nothing is to be fetched by them any more. Pure."""

from collections.abc import Iterable
from typing import Protocol


class Fetching(Protocol):
    """What has a station fetch an image: an update, or a publication."""

    @property
    def station_id(self) -> str:
        """Who fetches."""
        ...

    @property
    def image_id(self) -> str:
        """What; empty: no image of ours."""
        ...

    @property
    def may_be_fetched(self) -> bool:
        """Whether the station may still fetch it."""
        ...


def done_with(changes: Iterable[tuple[Fetching, Fetching]]) -> set[tuple[str, str]]:
    """Return the stations, each with an image, that might fetch it before a change and may not after it.

    What was over before ends nothing again: by then the station may fetch the same image for something newer.
    """
    return {
        (after.station_id, after.image_id)
        for before, after in changes
        if after.image_id and before.may_be_fetched and not after.may_be_fetched
    }
