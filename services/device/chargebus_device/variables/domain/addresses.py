"""How an operator addresses a variable, and where that is on a station of some version."""

from collections.abc import Callable

import msgspec

from chargebus_device.variables.domain.names import name_of, named
from chargebus_device.variables.domain.place import Place

Own = Callable[[Place], Place | None]
"""Tells a place in the words of a version, None where it has none for it."""


class Address(msgspec.Struct, frozen=True, order=True):
    """A variable as an operator names it: by a name of the table or a key of 1.6, or by its place in 2.x."""

    name: str = ""
    place: Place = Place()

    @property
    def key(self) -> str:
        """What is the same for all addresses of the same variable."""
        row = named(self.name) if self.name else name_of(self.place)
        if row is not None:
            return row.place.key
        return self.place.key if not self.name else Place(variable=self.name).key

    @property
    def text(self) -> str:
        """The address in words."""
        return self.name or self.place.text


def resolve(address: Address, own: Own) -> Place | None:
    """Return where a variable stands on a station of a version, None if that has none for it."""
    row = named(address.name) if address.name else name_of(address.place)
    given = Place(variable=address.name) if address.name else address.place
    places = (given,) if row is None else (row.own, row.place) if address.name else (given, row.own, row.place)
    return next((found for place in places if (found := own(place)) is not None), None)
