"""What a decision changes in the ledger: the difference between a station before and after."""

from collections.abc import Iterator

import msgspec

from chargebus_command.domain.decision import Decision
from chargebus_command.domain.state import Command, Ended, Station


class Changes(msgspec.Struct, frozen=True):
    """The commands that ended, those still open that changed, and those never written before, open or ended."""

    ended: tuple[Ended, ...]
    moved: tuple[Command, ...]
    new: tuple[Command | Ended, ...]


def changes(before: Station, decision: Decision) -> Changes:
    """Compare a station as it was loaded with what was decided."""
    known = {command.command_id: command for command in open_commands(before)}
    still_open = list(open_commands(decision.station))
    new_ended = (end for end in decision.ended if end.command.command_id not in known)
    new_open = (command for command in still_open if command.command_id not in known)
    return Changes(
        ended=tuple(end for end in decision.ended if end.command.command_id in known),
        moved=tuple(command for command in still_open if known.get(command.command_id, command) != command),
        new=(*new_ended, *new_open),
    )


def open_commands(station: Station) -> Iterator[Command]:
    """Yield a station's open commands in their order."""
    if station.in_flight is not None:
        yield station.in_flight
    yield from station.waiting
