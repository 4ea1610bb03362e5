"""What is wrong with what somebody wants, before it is kept."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from chargebus_outbound.targets import Network, UnfitUrlError, refusal, refused, target

from chargebus_notification.delivery.domain.addresses import header_objection, mail_objection
from chargebus_notification.delivery.domain.subscription import Mail, Wanted, Webhook
from chargebus_notification.delivery.errors import Objection

ALLOWED_NETWORKS: Final = "NOTIFICATION_WEBHOOK_ALLOWED_NETWORKS"
_NO_KEY = "a webhook's secret is kept sealed, and there is no key to seal it with: set SEALING_KEYS"
_NO_SERVER = "mail is not set up: set NOTIFICATION_SMTP_HOST and NOTIFICATION_SMTP_FROM"


class Able(msgspec.Struct, frozen=True):
    """What the service can do, as it is set."""

    plain_http: bool
    allowed: Collection[Network]
    can_seal: bool
    can_mail: bool


def objections(wanted: Wanted, headers: Mapping[str, str], able: Able) -> list[Objection]:
    """Return what is wrong; nothing if somebody can be told like that."""
    return [*_channel(wanted.channel, headers, able), *_times(wanted)]


def _channel(channel: Webhook | Mail, headers: Mapping[str, str], able: Able) -> Iterator[Objection]:
    if isinstance(channel, Webhook):
        yield from _webhook(channel, headers, able)
        return
    if not able.can_mail:
        yield Objection("channel.kind", _NO_SERVER)
    for number, address in enumerate(channel.addresses):
        if wrong := mail_objection(address):
            yield Objection(f"channel.addresses.{number}", wrong)


def _webhook(channel: Webhook, headers: Mapping[str, str], able: Able) -> Iterator[Objection]:
    if not able.can_seal:
        yield Objection("channel.kind", _NO_KEY)
    try:
        address = target(channel.url, plain=able.plain_http).address
    except UnfitUrlError as error:
        yield Objection("channel.url", str(error))
    else:
        if address is not None and (why := refusal(address, able.allowed)):
            yield Objection("channel.url", refused(why, ALLOWED_NETWORKS))
    for name, value in headers.items():
        if wrong := header_objection(name, value):
            yield Objection("channel.headers", wrong)
    if len({name.lower() for name in headers}) < len(headers):
        yield Objection("channel.headers", "a header is given twice: upper and lower case are the same")


def _times(wanted: Wanted) -> Iterator[Objection]:
    digest, quiet = wanted.digest, wanted.quiet_hours
    if digest is not None and digest.every_minutes is None and not _is_zone(digest.time_zone):
        yield Objection(
            "digest.time_zone", f"there is no time zone {digest.time_zone!r}: take one such as Europe/Berlin"
        )
    if quiet is None:
        return
    if not _is_zone(quiet.time_zone):
        yield Objection(
            "quiet_hours.time_zone", f"there is no time zone {quiet.time_zone!r}: take one such as Europe/Berlin"
        )
    if quiet.starts == quiet.ends:
        yield Objection("quiet_hours.ends", "they would last all day, or never: they must end at another time")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # none of that name; no name; a folder of names
        return False
    return True
