"""When it is told that a certificate runs out: once for each threshold. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from chargebus_security.inventory.domain.certificate import Certificate


def scheduled(certificate: Certificate, thresholds_days: Sequence[float]) -> Certificate:
    """Return it with when it is told next: at the widest threshold that was not told yet.

    Of one that only stations know, of one that was replaced, and of one that has run out and was told to, nothing is.
    """
    end = certificate.not_after
    told = certificate.told_days
    left = [days for days in thresholds_days if told is None or days < told]
    if end is None or certificate.replaced_at is not None or not left:
        return msgspec.structs.replace(certificate, expiring_at=None)
    return msgspec.structs.replace(certificate, expiring_at=_before(end, max(left)))


def told(certificate: Certificate, thresholds_days: Sequence[float], now: datetime) -> tuple[Certificate, float | None]:
    """Return it with the narrowest threshold that is reached told, and that threshold; None: none is."""
    end, before = certificate.not_after, certificate.told_days
    reached = [] if end is None else [days for days in thresholds_days if now >= _before(end, days)]
    news = min(reached) if reached and (before is None or min(reached) < before) else None
    after = certificate if news is None else msgspec.structs.replace(certificate, told_days=news)
    return scheduled(after, thresholds_days), news


def _before(end: datetime, days: float) -> datetime:
    try:
        return end - timedelta(days=days)
    except OverflowError:
        return datetime.min.replace(tzinfo=end.tzinfo)
