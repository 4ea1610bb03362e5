"""What a system must make of a life: looked up charge by charge, with no thought of how fast that is.

Each true charge is one session, of who charged, with the energy that the register rose by; no other session is there.
What the station told wrongly is marked: a time in 1970, an end before its begin, an id or a number that it gave out
again. A session of which nothing was told wrongly bears no mark.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from chargebus_testkit.offline.lives import Charge, Life
from chargebus_testkit.offline.telling import EPOCH, Told, queue

Session = Mapping[str, Any]

_END_UNKNOWN: Final = frozenset({"end_unknown", "ended_by_rule"})
"""Marks of a session whose end never came; while it is active it has none."""


def objections(lives: Sequence[Life], sessions: Sequence[Session]) -> list[str]:
    """Return what is wrong with the sessions of all the stations, in words; `sessions` have the names of the API."""
    found: list[str] = []
    for life in lives:
        told = queue(life)
        of_station = [session for session in sessions if session["station_id"] == life.station_id]
        for charge in life.charges:
            found += _about(life, charge, told, of_station)
        begins = {(charge.evse_id, float(charge.begun.wh)) for charge in life.charges}
        found += [
            f"{life.station_id}: nobody charged what {_shown(session)} tells"
            for session in of_station
            if (session["evse_id"], session["meter_start_wh"]) not in begins
        ]
    return found


def _about(life: Life, charge: Charge, told: Sequence[Told], sessions: Sequence[Session]) -> list[str]:
    """Compare one charge with the sessions that begin where it did: the register never shows the same twice."""
    of_charge = [
        session
        for session in sessions
        if (session["evse_id"], session["meter_start_wh"]) == (charge.evse_id, charge.begun.wh)
    ]
    name = f"{life.station_id} charge {charge.number} of {charge.driver}, {charge.begun.wh} to {charge.last.wh} Wh"
    if len(of_charge) != 1:
        return [f"{name}: {len(of_charge)} sessions"]
    [session] = of_charge
    about = [each for each in told if each.charge.number == charge.number]
    wrong = _wrong_values(charge, session) + _wrong_flags(charge, about, told, session)
    return [f"{name}: {each} in {_shown(session)}" for each in wrong]


def _wrong_values(charge: Charge, session: Session) -> list[str]:
    wrong = [] if session["id_token"] == charge.driver and session["billable"] else ["another driver"]
    if charge.ended:
        right = ("ended", charge.last.wh, charge.last.wh - charge.begun.wh)
        is_right = (session["state"], session["meter_stop_wh"], session["energy_wh"]) == right
        return wrong if is_right else [*wrong, "another energy"]
    if session["energy_wh"] not in (None, charge.last.wh - charge.begun.wh):
        wrong.append("energy that nobody told")
    return wrong


def _wrong_flags(charge: Charge, about: Sequence[Told], told: Sequence[Told], session: Session) -> list[str]:
    flags, needed = set(session["flags"]), set(_needed_flags(about, told))
    if not charge.ended and session["state"] == "ended":
        if not flags & _END_UNKNOWN:
            return [f"no mark of its unknown end, {sorted(flags)}"]
        flags -= _END_UNKNOWN
    return [] if flags == needed else [f"flags {sorted(flags)} instead of {sorted(needed)}"]


def _needed_flags(about: Sequence[Told], told: Sequence[Told]) -> list[str]:
    found = []
    if any(each.at.year == EPOCH.year for each in about):
        found.append("clock_implausible")
    if about[-1].happening.kind == "Ended" and about[-1].at < about[0].at:
        found.append("clock_went_back")
    numbers = [each.seq_no for each in about]
    if about[0].action == "TransactionEvent" and len(set(numbers)) < len(numbers):
        found.append("sequence_number_reused")
    namesakes = {each.charge.number for each in told if each.transaction_id == about[0].transaction_id}
    if about[0].action == "TransactionEvent" and len(namesakes) > 1:
        found.append("transaction_id_reused")
    return found


def _shown(session: Session) -> str:
    names = ("transaction_id", "evse_id", "id_token", "state", "meter_start_wh", "meter_stop_wh", "energy_wh", "flags")
    return " ".join(f"{name}={session[name]}" for name in names)
