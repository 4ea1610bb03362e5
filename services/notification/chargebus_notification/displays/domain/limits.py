"""What a station's display takes, as its device model says; and what of a message it is told, or why it is not.

Spec: OCPP 2.0.1 and 2.1 Part 2, appendix 3 (DisplayMessageCtrlr), O01.FR.03 to FR.06
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from chargebus_notification.displays.domain.message import Face
from chargebus_notification.displays.domain.shown import Ending

ASKED_FOR: Final = timedelta(minutes=1)
"""How long its messages wait for what a station says; then they are told, and it may refuse them itself."""

_LOOK_AGAIN: Final = timedelta(seconds=5)
"""How soon they are looked at again: one that came just when its station told is not among those that this woke."""

TOO_MANY: Final = "TooManyMessages"
_ASCII: Final = "ASCII"
_UTF8: Final = "UTF8"
_QR_CODE: Final = "QRCODE"
_NO_FORMAT: Final = "NotSupportedMessageFormat"


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a display takes; None: its station does not say.

    `most` is how many messages it holds, `qr_codes` whether it shows such (OCPP 2.1).
    """

    available: bool | None = None
    most: int | None = None
    formats: tuple[str, ...] | None = None
    priorities: tuple[str, ...] | None = None
    states: tuple[str, ...] | None = None
    qr_codes: bool | None = None

    def told(self, face: Face) -> Face:
        """Return what of a message is told: text without any accent is ASCII, too, where that is all it takes."""
        if self.formats is None or _UTF8 in self.formats or _ASCII not in self.formats:
            return face
        texts = [
            msgspec.structs.replace(text, format=_ASCII) if text.format == _UTF8 and text.content.isascii() else text
            for text in face.texts
        ]
        return msgspec.structs.replace(face, texts=tuple(texts))

    def why_not(self, face: Face, held: int) -> Ending | None:
        """Return why a message, as it is told, is not; None if it may be. `held`: how many others the display has."""
        if self.available is False:
            return Ending("unsupported", "NotSupported", "its DisplayMessageCtrlr is not available")
        refusals = (*self._of_what_is_shown(face), *self._of_room(held))
        return next((Ending("refused", reason, detail) for reason, detail in refusals), None)

    def _of_what_is_shown(self, face: Face) -> Iterator[tuple[str, str]]:
        formats = {text.format for text in face.texts}
        if _QR_CODE in formats and self.qr_codes is False:
            yield _NO_FORMAT, "it shows no QR codes (QRCodeDisplayCapable)"
        for reason, variable, wanted, taken in (
            (_NO_FORMAT, "SupportedFormats", formats - {_QR_CODE}, self.formats),
            ("NotSupportedPriority", "SupportedPriorities", {face.priority}, self.priorities),
            ("NotSupportedState", "SupportedStates", {face.state} - {""}, self.states),
        ):
            if taken is not None and (unknown := wanted - set(taken)):
                yield reason, f"it takes {', '.join(taken)} ({variable}), not {', '.join(sorted(unknown))}"

    def _of_room(self, held: int) -> Iterator[tuple[str, str]]:
        if self.most is not None and held >= self.most:
            yield TOO_MANY, f"its display holds {self.most} messages, and has {held}"


class DisplayLimits(msgspec.Struct, frozen=True):
    """How far it is known what a station's display takes: it is asked when a message is due, once after each boot."""

    station_id: str
    asked_at: datetime
    state: Literal["asked", "told", "silent"] = "asked"
    limits: Limits = Limits()

    def waits_until(self, now: datetime) -> datetime | None:
        """Return when its messages that wait for what it says are looked at again; None: they do not wait."""
        until = self.asked_at + ASKED_FOR
        return min(until, now + _LOOK_AGAIN) if self.state == "asked" and now < until else None
