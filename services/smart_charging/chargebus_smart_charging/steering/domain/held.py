"""What a station may hold of what it was told: the limits that it may draw by, told, accepted, or never answered."""

from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

import msgspec

from chargebus_smart_charging.steering.domain.habits import Rung

UNLIMITED: Final = 1e6
"""Amperes of a station that holds no limit: what its EVSE can draw bounds it."""

CLOCK_S: Final = 10.0
"""How far a station's clock may be off ours: around the end of a limit, it may draw by it, or by what holds then."""

MOST_OFFLINE_S: Final = 600
"""How long a limit holds in a station that has lost its CSMS, where it can be told that (OCPP 2.1)."""

_CLOCK: Final = timedelta(seconds=CLOCK_S)

_PULL: Final = timedelta(seconds=120 + CLOCK_S)
"""For how long the answer to a pull may be on its way: so long the edge waits for it."""

Level: TypeAlias = tuple[datetime, float]
"""From when, and how many amperes on each phase."""

Asking: TypeAlias = Literal["limit", "clear", "default", "verify", "suspend", "resume", "disable", "enable"]


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a station is to be asked for one EVSE.

    Attributes:
        number: what tells the orders of an EVSE apart; later ones have higher numbers.
        asking: set a `limit`, `clear` it, install the `default`, `verify` what it holds, `suspend` or `resume` by
            stopping and starting the transaction, `disable` or `enable` the EVSE.
        rung: in which way.
        levels: the amperes of a limit or default, never rising.
        until: when a limit ends by itself; None: it does not.
        transaction_id: the transaction that it is for.
        phases: over how many phases it was told in watts, which fewer may draw; 0: it was told in amperes.
        dynamic: its profile is one whose limit may be updated, or pulled by the station (OCPP 2.1).
        set_at: when the profile was set that it updates; None: it sets one.
        per_a: what an ampere on each phase is in the unit in which it is told.
        id_token, id_token_type: for whom a transaction is started again.
    """

    number: int
    asking: Asking
    at: datetime
    rung: Rung = "TxProfile"
    levels: tuple[Level, ...] = ()
    until: datetime | None = None
    transaction_id: str = ""
    phases: int = 0
    dynamic: bool = False
    set_at: datetime | None = None
    per_a: float = 1.0
    id_token: str = ""
    id_token_type: str = ""

    @property
    def limit_a(self) -> float:
        """Its first level: what holds when it is taken."""
        return self.levels[0][1] if self.levels else UNLIMITED

    def amperes_at(self, at: datetime) -> float:
        """Return the level that it means to hold at a time; `UNLIMITED` where it holds none any more."""
        if self.until is not None and at >= self.until:
            return UNLIMITED
        holds_a = self.limit_a
        for since, amperes in self.levels:
            if since > at:
                break
            holds_a = amperes
        return holds_a


class Pulled(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a station was answered that asked for the limit of its dynamic profile, and may have come late.

    Attributes:
        number: the order by which it was answered.
        limit_a: the amperes on each phase that it was answered.
        until: when the profile ends by itself.
        transaction_id: the transaction that the profile is for.
    """

    number: int
    limit_a: float
    at: datetime
    until: datetime | None = None
    transaction_id: str = ""

    @property
    def settled_at(self) -> datetime:
        """Until when the answer may be on its way: what is told later is what the station holds then."""
        return self.at + _PULL

    def is_over(self, now: datetime) -> bool:
        """Tell whether the profile has run out."""
        return self.until is not None and now > self.until + _CLOCK


class Slot(msgspec.Struct, frozen=True, omit_defaults=True):
    """One place for a limit in a station; a later one takes the place of the one before.

    Attributes:
        accepted: the last that the station has accepted.
        pending: those that it was told and has not answered.
        unsure: those of which nobody knows whether it has taken them.
        left: those for its transaction that it may hold beside what it has accepted later in another way; they go
            before that until they are cleared.
    """

    accepted: Order | None = None
    pending: tuple[Order, ...] = ()
    unsure: tuple[Order, ...] = ()
    left: tuple[Order, ...] = ()

    @property
    def _possible(self) -> tuple[Order, ...]:
        return (*self.pending, *self.unsure, *(() if self.accepted is None else (self.accepted,)))

    @property
    def newest(self) -> Order | None:
        """What was told last of what may hold."""
        if not self.pending and not self.unsure:
            return self.accepted
        return max(self._possible, key=lambda order: order.number)

    @property
    def is_dynamic(self) -> bool:
        """Whether a profile that may be held is one whose limit the station may ask for."""
        return any(order.dynamic for order in self._possible)

    @property
    def phases(self) -> int:
        """The most phases over which one of those that may hold was told in watts."""
        if not self.pending and not self.unsure:
            return 0 if self.accepted is None else self.accepted.phases
        return max(order.phases for order in self._possible)

    def most_a(self, below_a: float, now: datetime) -> float:
        """Return the most amperes that it may allow now; `below_a` holds where it holds nothing."""
        most = below_a if self.accepted is None else _most(self.accepted, below_a, now)
        for orders in (self.pending, self.unsure):
            for order in orders:
                most = max(most, _most(order, below_a, now))
        for order in self.left:
            if not _is_over(order, now):
                most = max(most, _most(order, below_a, now))
        return most

    def tell(self, order: Order) -> "Slot":
        """Return it after an order was sent."""
        return msgspec.structs.replace(self, pending=(*self.pending, order))

    def accept(self, order: Order) -> "Slot":
        """Return it after the station has taken an order: what it was told before is replaced, answered or not.

        But a default replaces no profile of a transaction, which goes before it.

        Spec: OCPP 2.0.1 K01.FR.05, 3.3 (stacking of purposes); OCPP 1.6 3.13.1, 3.13.2
        """
        accepted = None if order.asking == "clear" else order
        left: tuple[Order, ...] = ()
        if accepted is not None and accepted.rung == "TxDefaultProfile":
            before = (*self.left, *self._possible)
            left = tuple(each for each in before if each.rung == "TxProfile" and each.number < order.number)
        return Slot(accepted, _after(self.pending, order), _after(self.unsure, order), left)

    def cleared(self, order: Order) -> "Slot":
        """Return it after the station has cleared what was left of the time before an order."""
        return msgspec.structs.replace(self, left=_after(self.left, order))

    def refuse(self, order: Order) -> "Slot":
        """Return it after an order was refused, or never reached the station."""
        return msgspec.structs.replace(self, pending=_without(self.pending, order))

    def doubt(self, order: Order) -> "Slot":
        """Return it after an order was lost, and nobody knows on which side of the station."""
        return msgspec.structs.replace(self, pending=_without(self.pending, order), unsure=(*self.unsure, order))

    def forget(self) -> "Slot":
        """Return it after the station may have lost what it holds, or not."""
        if self.accepted is None:
            return self
        return msgspec.structs.replace(self, accepted=None, unsure=(*self.unsure, self.accepted))

    def without(self, rung: Rung) -> "Slot":
        """Return it after all that was told in one way is gone; what is not answered may still be taken."""
        accepted = None if self.accepted is not None and self.accepted.rung == rung else self.accepted
        unsure, left = (tuple(order for order in orders if order.rung != rung) for orders in (self.unsure, self.left))
        return Slot(accepted, self.pending, unsure, left)

    def pruned(self, now: datetime) -> "Slot":
        """Return it without what nobody knows of, or was left, and has run out."""
        if not any(_is_over(order, now) for order in (*self.unsure, *self.left)):
            return self
        unsure, left = (
            tuple(order for order in orders if not _is_over(order, now)) for orders in (self.unsure, self.left)
        )
        return msgspec.structs.replace(self, unsure=unsure, left=left)


def _most(order: Order, below_a: float, now: datetime) -> float:
    """Return the most that an order may allow now, by a clock that is off by no more than `CLOCK_S`."""
    if not order.levels:
        return below_a
    until = order.until
    if until is not None and now > until + _CLOCK:
        return below_a
    begun = now - _CLOCK
    most = order.levels[0][1]
    for since, amperes in order.levels:
        if since > begun:
            break
        most = amperes
    return max(most, below_a) if until is not None and now >= until - _CLOCK else most


def _is_over(order: Order, now: datetime) -> bool:
    return order.until is not None and now > order.until + _CLOCK


def _after(orders: tuple[Order, ...], order: Order) -> tuple[Order, ...]:
    return tuple(each for each in orders if each.number > order.number)


def _without(orders: tuple[Order, ...], order: Order) -> tuple[Order, ...]:
    return tuple(each for each in orders if each.number != order.number)
