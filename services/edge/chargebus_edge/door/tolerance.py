"""How frames that break their schema are treated: by the station's registration, and by the rules of its make."""

from collections.abc import Sequence
from typing import Final

import msgspec
from chargebus_events.registry import DeviationRule, Treatment
from chargebus_ocppj.deviations import BY_RULE, Kind


class Make(msgspec.Struct, frozen=True, gc=False):
    """What a station said of itself in its newest boot; empty texts before its first."""

    vendor: str = ""
    model: str = ""
    firmware_version: str = ""


class Tolerance(msgspec.Struct, frozen=True):
    """How deviations of one station are treated; `rules` are those of its make, in the order in which they count."""

    strict: bool = False
    rules: tuple[DeviationRule, ...] = ()

    def treatment(self, action: str, kind: str) -> Treatment | None:
        """Return whether such a deviation is accepted as meant or refused; None: neither station nor rules say."""
        if self.strict:
            return "refuse"
        for rule in self.rules:
            if _fits(rule.action, action) and _fits(rule.kind, kind):
                return rule.treatment
        return None

    def accepts(self, action: str, kind: Kind) -> bool:
        """Tell whether such a deviation is accepted as meant; where nobody says, most kinds are."""
        treatment = self.treatment(action, kind)
        return kind not in BY_RULE if treatment is None else treatment == "accept"


LENIENT: Final = Tolerance()
STRICT: Final = Tolerance(strict=True)


def tolerance(make: Make, rules: Sequence[DeviationRule], *, strict: bool) -> Tolerance:
    """Return how deviations of a station of this make are treated.

    The rule that names most counts, an exact name for more than one that ends in `*`; of two that name as much, the
    one that refuses.
    """
    if strict:
        return STRICT
    own = [rule for rule in rules if _is_of(rule, make)]
    return Tolerance(rules=tuple(sorted(own, key=_precedence))) if own else LENIENT


def _is_of(rule: DeviationRule, make: Make) -> bool:
    return (
        _fits(rule.vendor, make.vendor)
        and _fits(rule.model, make.model)
        and _fits(rule.firmware_version, make.firmware_version)
    )


def _fits(wanted: str, said: str) -> bool:
    """Tell whether a text is meant, whatever its case; stations write their own names in several."""
    if not wanted:
        return True
    wanted, said = wanted.casefold(), said.casefold()
    return said.startswith(wanted[:-1]) if wanted.endswith("*") else said == wanted


def _precedence(rule: DeviationRule) -> tuple[int, bool]:
    named = (rule.vendor, rule.model, rule.firmware_version, rule.action, rule.kind)
    return -sum(map(_weight, named)), rule.treatment == "accept"


def _weight(wanted: str) -> int:
    return 0 if not wanted else 1 if wanted.endswith("*") else 2
