"""One firmware update of one station: what is known of it, and how far it has come.

Spec: OCPP 1.6 4.5, 5.19; OCPP 1.6 security white paper L01, L02; OCPP 2.0.1 L01, L02
"""

from datetime import datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec

from chargebus_firmware.links.domain.link import Transport

Phase: TypeAlias = Literal[
    "waiting",
    "requested",
    "accepted",
    "download_scheduled",
    "downloading",
    "downloaded",
    "verified",
    "install_scheduled",
    "installing",
    "rebooting",
    "installed",
]
"""How far it has come, in this order; `waiting`: for the station to be there, which was not asked yet."""

Verdict: TypeAlias = Literal["", "succeeded", "failed", "cancelled"]

Reason: TypeAlias = Literal[
    "",
    "not_reached",
    "not_served",
    "not_supported",
    "refused",
    "rejected",
    "invalid_certificate",
    "revoked_certificate",
    "download_failed",
    "invalid_signature",
    "verification_failed",
    "installation_failed",
    "wrong_version",
    "unconfirmed",
    "silent",
    "replaced",
    "by_operator",
]
"""Why an update did not succeed."""

RANK: Final[dict[Phase, int]] = {phase: rank for rank, phase in enumerate(Phase.__args__)}  # type: ignore[attr-defined]
STATES: Final[tuple[str, ...]] = (*RANK, "succeeded", "failed", "cancelled")

RETRIED: Final[frozenset[Reason]] = frozenset({"not_reached", "rejected", "download_failed", "silent", "unconfirmed"})
"""What may go better another time."""

_GOES_ON: Final[frozenset[Reason]] = frozenset({"download_failed", "silent"})

STEPS_KEPT: Final = 100


class Firmware(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is to be installed: where it lies, the version with which a station then boots, and who signed it."""

    version: str
    url: str = ""
    image_id: str = ""
    signing_certificate: str = ""
    signature: str = ""

    @property
    def is_signed(self) -> bool:
        """Whether a station can be asked to check who made it."""
        return bool(self.signing_certificate and self.signature)


class Plan(msgspec.Struct, frozen=True, omit_defaults=True):
    """When it is to be done and how often tried; None: at once, or as the station likes.

    `over`: how an image that is kept here is fetched; None: by what the station knows.
    """

    retrieve_at: datetime | None = None
    install_at: datetime | None = None
    retries: int | None = None
    retry_interval_s: int | None = None
    over: Transport | None = None


class Wanted(msgspec.Struct, frozen=True):
    """An update that is wanted: of an image of ours, or of `firmware` that lies elsewhere."""

    station_id: str
    image_id: str | None = None
    campaign_id: str | None = None
    retrieve_at: datetime | None = None
    install_at: datetime | None = None
    retries: int | None = None
    retry_interval_s: int | None = None
    firmware: Firmware | None = None
    over: Transport | None = None

    @property
    def plan(self) -> Plan:
        """When it is to be done."""
        return Plan(self.retrieve_at, self.install_at, self.retries, self.retry_interval_s, self.over)


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that was told or done, when it was so last, how often one after the other, and the state after it."""

    at: datetime
    what: str
    state: str
    detail: str = ""
    times: int = 1


class Update(msgspec.Struct, frozen=True, omit_defaults=True):
    """An update as it is known.

    Attributes:
        request_id: by which the station tells of it, where its version of OCPP has that; later ones are larger.
        give_up_at: until when the station is waited for, if it is away.
        asked_at, asks: when it was asked last, how often it was; what it tells of times before that is of something
            else.
        unsigned: it was asked without signature, as it does not know signed firmware.
        again_at: when it is asked again where it could not be reached; None: as soon as it is there.
        before: the version that it had then; empty: unknown.
        protocols_asked_at: when it was asked over what it transfers files, before it is asked for the update.
        answered: whether it said that it will; False: nobody knows.
        heard_at, status, idle: when it was heard last about this, what it said, and whether that was that it is idle.
        work_at: when it was first heard to install, or to be done with it.
        installed_at: when it first said that it is done.
        booted_at, booted_version: when it told its version last since it was asked, and which.
        rebooted_at: when it last booted with the wanted version, by itself.
        probed_at: when it was asked to say how it is.
        verdict, reason, detail, ended_at: what came of it. A failure that the station contradicts is opened again.
        changes: how often its state changed.
    """

    update_id: UUID
    station_id: str
    request_id: int
    firmware: Firmware
    created_at: datetime
    give_up_at: datetime
    plan: Plan = Plan()
    campaign_id: str = ""
    asked_at: datetime | None = None
    asks: int = 0
    unsigned: bool = False
    again_at: datetime | None = None
    before: str = ""
    protocols_asked_at: datetime | None = None
    answered: bool = False
    phase: Phase = "waiting"
    heard_at: datetime | None = None
    status: str = ""
    idle: bool = False
    work_at: datetime | None = None
    installed_at: datetime | None = None
    booted_at: datetime | None = None
    booted_version: str = ""
    rebooted_at: datetime | None = None
    probed_at: datetime | None = None
    verdict: Verdict = ""
    reason: Reason = ""
    detail: str = ""
    ended_at: datetime | None = None
    changes: int = 0
    history: tuple[Step, ...] = ()

    @property
    def version(self) -> str:
        """The version with which the station is to come back."""
        return self.firmware.version

    @property
    def image_id(self) -> str:
        """The image that it installs; empty: none of ours."""
        return self.firmware.image_id

    @property
    def is_open(self) -> bool:
        """Whether it is not known yet what came of it."""
        return not self.verdict

    @property
    def may_be_fetched(self) -> bool:
        """Whether its station may still fetch the file: also after a failure from which it may go on by itself."""
        return self.is_open or self.reason in _GOES_ON

    @property
    def state(self) -> str:
        """How far it has come, or how it ended."""
        return self.verdict or self.phase

    @property
    def is_same_version(self) -> bool:
        """Whether the station had that version before: then to have it tells nothing."""
        return self.before.strip() == self.version.strip()


def noted(update: Update, at: datetime, what: str, before: Update, detail: str = "") -> Update:
    """Return it with a step in its history, and one change more if its state is not that of `before`."""
    step = Step(at, what, update.state, detail)
    history = before.history
    if history and (history[-1].what, history[-1].state, history[-1].detail) == (what, update.state, detail):
        history = (*history[:-1], msgspec.structs.replace(step, times=history[-1].times + 1))
    else:
        history = (*history, step)[-STEPS_KEPT:]
    changes = before.changes + (update.state != before.state or update.reason != before.reason)
    return msgspec.structs.replace(update, history=history, changes=changes)


def failed(update: Update, reason: Reason, at: datetime, detail: str = "") -> Update:
    """Return it as failed."""
    return msgspec.structs.replace(update, verdict="failed", reason=reason, detail=detail, ended_at=at)


def succeeded(update: Update, at: datetime) -> Update:
    """Return it as done."""
    return msgspec.structs.replace(
        update, verdict="succeeded", reason="", detail="", ended_at=at, phase="installed", idle=False
    )


def later(known: datetime | None, new: datetime) -> datetime:
    """Return the later of two times."""
    return new if known is None else max(known, new)
