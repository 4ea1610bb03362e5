"""The event by which others learn of a publication."""

from datetime import datetime

from chargebus_events.public import FIRMWARE_PUBLICATION, FirmwarePublication, event
from chargebus_events.record import Record

from chargebus_firmware.names import SOURCE
from chargebus_firmware.publications.domain import Publication


def news(before: Publication | None, publication: Publication, now: datetime) -> Record | None:
    """Return the event that tells of a publication, if its state is another than before."""
    if before is not None and (before.state, before.reason) == (publication.state, publication.reason):
        return None
    body = FirmwarePublication(
        str(publication.publication_id),
        publication.station_id,
        now,
        publication.state,
        checksum=publication.checksum,
        version=publication.version,
        image_id=publication.image_id,
        locations=publication.locations,
        reason=publication.reason,
        detail=publication.detail,
    )
    event_id = f"publication/{publication.publication_id}/{publication.state}/{now.isoformat()}"
    return event(FIRMWARE_PUBLICATION, event_id, SOURCE, now, body)
