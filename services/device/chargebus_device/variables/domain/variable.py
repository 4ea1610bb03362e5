"""What is known of a variable, and what of it must not be kept."""

from datetime import datetime
from typing import Final

import msgspec
from chargebus_ocppj.masking import MASK, PRIVATE_KEY, masked_address
from chargebus_ocppj.secrets import STANDARD

from chargebus_device.variables.domain.place import Place

WRITE_ONLY: Final = "WriteOnly"
READ_ONLY: Final = "ReadOnly"
READ_WRITE: Final = "ReadWrite"
VALUE_LIMIT: Final = 2_500
"""Characters of a value that are kept; OCPP allows 500 in 1.6, and 2,500 in 2.x."""

MOST_VARIABLES: Final = 20_000
"""How many variables of a station are kept: some times what the largest device models have."""


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """What a station says of a variable; what it does not say is None, and leaves what was known of it.

    Attributes:
        value: None where it was not told, or must not be kept.
        is_known: False: the station says that it has no such variable.
        values_list: what may be chosen, with commas between.
    """

    place: Place
    value: str | None = None
    is_known: bool = True
    mutability: str | None = None
    persistent: bool | None = None
    constant: bool | None = None
    unit: str | None = None
    data_type: str | None = None
    min_limit: float | None = None
    max_limit: float | None = None
    values_list: str | None = None
    supports_monitoring: bool | None = None


class Variable(Reported, frozen=True, kw_only=True):
    """What is known of a variable.

    Attributes:
        read_at: when its station told the value, `read_by` in which message.
        pending_value: what it was set to and takes with the next boot; since when.
    """

    read_at: datetime
    read_by: str
    pending_value: str | None = None
    pending_since: datetime | None = None


def is_secret(place: Place, mutability: str | None = None) -> bool:
    """Tell whether a value must be neither kept nor shown: it lets in, or its station never shows it itself."""
    names = place.variable, place.variable_instance
    return mutability == WRITE_ONLY or any(STANDARD.is_secret_setting(name) for name in names if name)


def shown(value: str) -> str:
    """Return a value as it may be kept: without a private key, or what an address lets in by (login, signed query)."""
    if PRIVATE_KEY in value:
        return MASK
    return masked_address(value) if "://" in value else value


def without_secret(reported: Reported) -> Reported:
    """Return what may be kept of what a station says; `***` is what the edge put in the place of a secret."""
    if reported.value is None:
        return reported
    value = shown(reported.value)
    if value == MASK or is_secret(reported.place, reported.mutability):
        return msgspec.structs.replace(reported, value=None)
    return msgspec.structs.replace(reported, value=value)
