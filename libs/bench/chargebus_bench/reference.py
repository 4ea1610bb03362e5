"""The reference figures: what a bare spine did on a quiet machine, kept to compare any machine with."""

from functools import cache
from importlib.resources import files

import msgspec


class Reference(msgspec.Struct, frozen=True):
    """What a bare spine did on a quiet machine, by scenario: the lower and the upper of two runs."""

    about: str
    memory_kib_per_connection: float
    calls_s: dict[str, tuple[float, float]]

    def ratio(self, title: str, calls_s: float) -> float | None:
        """Return these calls/s over the reference's middle, or None where it has no figure for the scenario."""
        found = self.calls_s.get(title)
        return None if found is None else calls_s / (sum(found) / len(found))


@cache
def reference() -> Reference:
    """Return the reference figures; see `reference.json`."""
    return msgspec.json.decode(files("chargebus_bench").joinpath("reference.json").read_bytes(), type=Reference)
