"""What a station itself tells of an EVSE, for what its operator leaves out."""

import msgspec


class Told(msgspec.Struct, frozen=True):
    """By its configuration keys or device model; None is not told. `phases` is how many it is connected to."""

    voltage_v: float | None = None
    phases: int | None = None
    max_a: float | None = None


NOTHING_TOLD = Told()
