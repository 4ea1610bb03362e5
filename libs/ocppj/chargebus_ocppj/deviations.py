"""How a payload may break its schema and still be understood: the kinds there are, and how a frame tells of them."""

from collections.abc import Iterable
from typing import Final, Literal, get_args

import msgspec

Kind = Literal[
    "extra_property",
    "misnamed_property",
    "null_member",
    "missing",
    "wrong_type",
    "fraction",
    "not_a_list",
    "empty_list",
    "too_many",
    "unknown_value",
    "too_long",
    "out_of_range",
    "bad_time",
    "epoch_time",
    "control_character",
    "unreadable",
    "frame",
    "handshake",
]
"""What is wrong, and what is made of it:

| kind | what the station sent | how it is read |
|---|---|---|
| extra_property | a property that the schema does not have | passed over |
| misnamed_property | one in another case (`idtag`) | as the one that is meant, where a rule accepts it |
| null_member | null | as if it were not there |
| missing | nothing where something is required | by what its absence means, such as the time of arrival |
| wrong_type | a number as text, a text as number, … | as meant |
| fraction | a fraction where a whole number belongs | energy as it is, else rounded; never where it names something |
| not_a_list | one value where a list of them belongs | as a list of one |
| empty_list | a list of nothing | as it is |
| too_many | more in a list than it may have | all of them |
| unknown_value | a word that the enumeration does not have | by the word in another case, else as it is |
| too_long | a text that is too long | whole |
| out_of_range | a number that is too small, too large or too exact | as it is |
| bad_time | a time that is none of RFC 3339: no zone, `+02`, no time at all | as meant, else the time of arrival |
| epoch_time | seconds or milliseconds since 1970 | as that time, where a rule accepts it |
| control_character | a text with a NUL, or raw control characters that no JSON has | without them |
| unreadable | something optional, or a part of a list, that nobody can read | without it; all else is kept |
| frame | a message id that is a number or too long, no payload, … | as meant |
| handshake | a subprotocol that is written otherwise, or none | as the version that its registration allows, if any |
"""

KINDS: Final[frozenset[str]] = frozenset(get_args(Kind))

BY_RULE: Final[frozenset[Kind]] = frozenset({"misnamed_property", "epoch_time"})
"""Kinds that are read as meant only of stations whose make a rule accepts them of: a guess too far for all others."""

LISTED: Final = 24
"""Deviations that a frame tells of at most; the same one all over a list is told of once."""

_PATH_LIMIT: Final = 120
_DETAIL_LIMIT: Final = 120


class Deviation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One way in which a payload breaks its schema.

    `path` names the member from the payload down, `meterValue/0/sampledValue/2/unit`; it is empty for the payload
    itself. `detail` says in a few words what stood there, as printable text.
    """

    kind: Kind
    path: str
    detail: str = ""


def encode_deviations(deviations: Iterable[Deviation]) -> bytes:
    """Return deviations as they travel beside a frame: compact JSON, each kind once for all places in a list."""
    told: dict[tuple[str, str], Deviation] = {}
    for each in deviations:
        told.setdefault((each.kind, place(each.path)), each)
    return msgspec.json.encode([_shortened(each) for each in list(told.values())[:LISTED]])


def decode_deviations(header: bytes) -> tuple[Deviation, ...]:
    """Return the deviations that travel beside a frame.

    Raises:
        msgspec.MsgspecError: it is not what `encode_deviations` wrote.
    """
    return _DECODER.decode(header)


def place(path: str) -> str:
    """Return a path with `*` for any place in a list: `meterValue/*/sampledValue/*/unit`."""
    return "/".join("*" if step.isdigit() else step for step in path.split("/"))


def _shortened(deviation: Deviation) -> Deviation:
    return Deviation(
        deviation.kind, _printable(deviation.path, _PATH_LIMIT), _printable(deviation.detail, _DETAIL_LIMIT)
    )


def _printable(text: str, limit: int) -> str:
    text = text if text.isprintable() else "".join(each for each in text if each.isprintable())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


_DECODER: Final = msgspec.json.Decoder(tuple[Deviation, ...])
