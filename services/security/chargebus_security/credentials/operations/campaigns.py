"""What is done with campaigns over HTTP, each in one transaction."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

import asyncpg
from chargebus_runtime.database import Database
from chargebus_runtime.sealing import Sealing

from chargebus_security.credentials.domain import campaign as life
from chargebus_security.credentials.domain.campaign import Campaign, Counts, Kind, Member, Wanted
from chargebus_security.credentials.errors import KeyUsedError, NobodyMeantError, NoKeyError, UnknownCampaignError
from chargebus_security.credentials.store import campaigns, members
from chargebus_security.credentials.store.campaigns import Key, Numbered
from chargebus_security.stations import store as stations
from chargebus_security.stations.domain import Station
from chargebus_security.trust.domain.policy import Selector

_STATIONS_AT_ONCE: Final = 5000
_LOOKS: Final = 3
_LOOK_EVERY_S: Final = 0.6
"""How long stations are waited for that are named and were registered a moment ago: their topic rests for a second."""

Shown = tuple[Campaign, Counts]


class Campaigns:
    """The campaigns; `keep` is how long one is kept after its end."""

    def __init__(self, database: Database, sealing: Sealing, keep: timedelta) -> None:
        self._database = database
        self._sealing = sealing
        self._kept = keep

    async def create(self, wanted: Wanted, key: Key) -> tuple[Shown, bool]:
        """Begin a campaign; return it, and whether it is new: under the same key it is the one from before.

        Raises:
            NobodyMeantError: it would have no stations.
            NoKeyError: it is a rotation, and nothing can be sealed.
            KeyUsedError: something else was asked under the key.
        """
        if wanted.kind == "rotation" and not self._sealing.has_keys:
            raise NoKeyError
        await self._hear_of(wanted.selector.station_ids)
        async with self._database.transaction() as tx:
            before = await campaigns.by_key(tx.connection, key)
            if before is not None:
                campaign, fingerprint = before
                if fingerprint != key.fingerprint:
                    raise KeyUsedError
                return (campaign, await members.counts(tx.connection, campaign.campaign_id)), False
            station_ids, unknown = await _meant(tx.connection, wanted.selector)
            if not station_ids:
                raise NobodyMeantError
            campaign = Campaign(
                campaign_id=uuid4(),
                kind=wanted.kind,
                name=wanted.name,
                selector=wanted.selector,
                rules=wanted.rules,
                created_at=tx.now,
                until=tx.now + timedelta(seconds=wanted.rules.wait_s),
                begun_up_to=tx.now,
                changed_at=tx.now,
                profile=wanted.profile,
                allow_downgrade=wanted.allow_downgrade,
                check_root=wanted.check_root,
                network=wanted.network,
            )
            await campaigns.add(tx.connection, campaign, key)
            new = [life.new_member(campaign.campaign_id, each, tx.now) for each in (*station_ids, *unknown)]
            gone = set(unknown)
            known = [
                life.moved(each, "left_out", tx.now, "it is not registered") if each.station_id in gone else each
                for each in new
            ]
            await members.keep(tx.connection, known)
            return (campaign, await members.counts(tx.connection, campaign.campaign_id)), True

    async def _hear_of(self, station_ids: Collection[str]) -> None:
        """Wait a moment for stations that are named and not heard of: what operators say of them comes by Kafka."""
        for _ in range(_LOOKS):
            async with self._database.pool.acquire() as connection:
                known = await stations.find(connection, station_ids)
            if all(_is_registered(name, known) for name in station_ids):
                return
            await asyncio.sleep(_LOOK_EVERY_S)

    async def page(self, kind: Kind, before: int | None, limit: int) -> Sequence[tuple[Numbered, Counts]]:
        """Return up to `limit` campaigns of a kind, the newest first, each with its number."""
        async with self._database.pool.acquire() as connection:
            found = await campaigns.page(connection, kind, before, limit)
            return [(each, await members.counts(connection, each[1].campaign_id)) for each in found]

    async def find(self, kind: Kind, campaign_id: UUID) -> Shown:
        """Return a campaign.

        Raises:
            UnknownCampaignError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            campaign = await _find(connection, kind, campaign_id)
            return campaign, await members.counts(connection, campaign_id)

    async def stations(
        self, kind: Kind, campaign_id: UUID, state: str | None, after: str, limit: int
    ) -> Sequence[Member]:
        """Return up to `limit` stations of a campaign in the order of their ids.

        Raises:
            UnknownCampaignError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            await _find(connection, kind, campaign_id)
            return await members.page(connection, campaign_id, state, after, limit)

    async def stop(self, kind: Kind, campaign_id: UUID) -> Shown:
        """Begin with no further station; those with which something is being done go on to their end.

        Raises:
            UnknownCampaignError: there is none.
        """
        async with self._database.transaction() as tx:
            campaign = await campaigns.lock(tx.connection, campaign_id)
            if campaign is None or campaign.kind != kind:
                raise UnknownCampaignError(campaign_id)
            after = life.stopped(campaign, "an operator has stopped it", tx.now)
            if after != campaign:
                await campaigns.keep(tx.connection, after, tx.now)
            return after, await members.counts(tx.connection, campaign_id)

    async def forget(self) -> None:
        """Drop campaigns that ended long ago."""
        more = True
        while more:
            async with self._database.transaction() as tx:
                more = await campaigns.forget_one(tx.connection, tx.now - self._kept)


async def _find(connection: asyncpg.Connection, kind: Kind, campaign_id: UUID) -> Campaign:
    found = (await campaigns.find(connection, [campaign_id])).get(campaign_id)
    if found is None or found.kind != kind:
        raise UnknownCampaignError(campaign_id)
    return found


def _is_registered(name: str, known: Mapping[str, Station]) -> bool:
    return name in known and known[name].is_registered


async def _meant(connection: asyncpg.Connection, selector: Selector) -> tuple[list[str], list[str]]:
    """Return the registered stations that are meant, and those that are named and are not registered."""
    if selector.station_ids:
        known = await stations.find(connection, selector.station_ids)
        meant = [name for name in selector.station_ids if _is_registered(name, known) and selector.fits(known[name])]
        return meant, [name for name in selector.station_ids if not _is_registered(name, known)]
    meant, after = [], ""
    while some := await stations.page(connection, after, _STATIONS_AT_ONCE):
        meant += [each.station_id for each in some if each.is_registered and selector.fits(each)]
        after = some[-1].station_id
    return meant, []
