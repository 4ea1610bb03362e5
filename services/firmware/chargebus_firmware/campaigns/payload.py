"""What `firmware.events` tell of a campaign."""

from collections import Counter
from collections.abc import Mapping

from chargebus_events.public import FIRMWARE_CAMPAIGN, FirmwareCampaign, event
from chargebus_events.record import Record

from chargebus_firmware.campaigns.domain.campaign import Campaign, MemberState
from chargebus_firmware.names import SOURCE


def campaign_event(campaign: Campaign, counts: Mapping[tuple[int, MemberState], int]) -> Record:
    """Return the event of a campaign whose state or wave has changed."""
    body = FirmwareCampaign(
        str(campaign.campaign_id),
        campaign.changed_at,
        campaign.state,
        name=campaign.name,
        image_id=campaign.image_id,
        wave=campaign.wave + 1,
        counts=by_state(counts),
        reason=campaign.reason,
        detail=campaign.detail,
    )
    changed_us = int(campaign.changed_at.timestamp() * 1_000_000)
    event_id = f"{campaign.campaign_id}/{campaign.state}/{campaign.wave + 1}/{changed_us}"
    return event(FIRMWARE_CAMPAIGN, event_id, SOURCE, campaign.changed_at, body)


def by_state(counts: Mapping[tuple[int, MemberState], int]) -> dict[str, int]:
    """Return how many stations are in each state, whatever their wave."""
    found: Counter[str] = Counter()
    for (_, state), count in counts.items():
        found[state] += count
    return {state: count for state, count in found.items() if count}
