"""Frames → domain: what is the same in every version."""

from chargebus_events.frames import Frame

from chargebus_smart_charging.limits.domain.hearing import Hearing


def hearing(frame: Frame) -> Hearing:
    """Return what a frame tells of its station, whatever it says."""
    return Hearing(frame.station_id, frame.received_at)
