"""What is done with campaigns over HTTP and by time, each in one transaction."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import msgspec
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.tasks import DueWork

from chargebus_firmware.campaigns.domain.campaign import (
    LIVE,
    Campaign,
    Counts,
    Member,
    Rules,
    Shown,
    Wanted,
    changed,
)
from chargebus_firmware.campaigns.domain.decide import (
    AT_ONCE,
    Decision,
    Seen,
    at_work,
    decide,
    may_exchange,
    most_waiting,
    not_begun,
    resumed,
    tally_of,
)
from chargebus_firmware.campaigns.domain.waves import Candidate, Fits, Listed, Misfit, listed
from chargebus_firmware.campaigns.domain.windows import objection
from chargebus_firmware.campaigns.errors import (
    CampaignStateError,
    Objection,
    UnfitCampaignError,
    UnknownCampaignError,
)
from chargebus_firmware.campaigns.payload import campaign_event
from chargebus_firmware.campaigns.store import campaigns, due, members
from chargebus_firmware.campaigns.store.due import Due
from chargebus_firmware.campaigns.store.members import Facts, Filter
from chargebus_firmware.keys import Key
from chargebus_firmware.metrics import Metrics
from chargebus_firmware.stations import store as station_store
from chargebus_firmware.stations.domain import Make, Station
from chargebus_firmware.updates import store as update_store
from chargebus_firmware.updates.domain.update import Wanted as WantedUpdate
from chargebus_firmware.updates.operations import Images, Started, Updates

_FORGOTTEN_AT_ONCE: Final = 5000


class Campaigns:
    """The campaigns; `keep` is how long one is kept after its end."""

    def __init__(self, database: Database, images: Images, updates: Updates, metrics: Metrics, keep: timedelta) -> None:
        self._database = database
        self._images = images
        self._updates = updates
        self._metrics = metrics
        self._kept = keep
        self._due = DueWork(database, 1, self._take, self._look_all)

    async def preview(self, wanted: Wanted, now: datetime) -> tuple[str, Listed]:
        """Return the version that a campaign would bring, and its stations: in which waves, or why not.

        Raises:
            UnfitCampaignError: it could not be carried out.
        """
        async with self._database.pool.acquire() as connection:
            return await self._listed(connection, wanted, now)

    async def create(self, wanted: Wanted, key: Key) -> tuple[Shown, bool]:
        """Begin a campaign; return it, and whether it is new: under the same key it is the one from before.

        Raises:
            UnfitCampaignError: it could not be carried out.
            KeyUsedError: something else was asked under the key.
        """
        async with self._database.transaction() as tx:
            before = await campaigns.by_key(tx.connection, key)
            if before is not None:
                return Shown(before, await members.counts(tx.connection, before.campaign_id)), False
            version, stations = await self._listed(tx.connection, wanted, tx.now)
            campaign = Campaign(
                uuid4(),
                wanted.name,
                wanted.image_id,
                version,
                wanted.selector,
                wanted.rules,
                stations.sizes,
                created_at=tx.now,
                wave_begun_at=tx.now,
                changed_at=tx.now,
            )
            await campaigns.add(tx.connection, campaign, key)
            every = (*stations.waiting, *stations.skipped)
            await members.add(tx.connection, campaign.campaign_id, every)
            counts = Counter((member.wave, member.state) for member in every)
            self._tell(tx, campaign, counts)
            await due.add(tx.connection, campaign.campaign_id, tx.now)
        return Shown(campaign, counts), True

    async def page(self, after: tuple[datetime, UUID] | None, state: str | None, limit: int) -> Sequence[Campaign]:
        """Return up to `limit` campaigns, the newest first."""
        async with self._database.pool.acquire() as connection:
            return await campaigns.page(connection, after, state, limit)

    async def find(self, campaign_id: UUID) -> Shown:
        """Return a campaign.

        Raises:
            UnknownCampaignError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            campaign = await campaigns.find(connection, campaign_id)
            if campaign is None:
                raise _unknown(campaign_id)
            return Shown(campaign, await members.counts(connection, campaign_id))

    async def stations(self, wanted: Filter, after: str, limit: int) -> Sequence[Member]:
        """Return up to `limit` stations of a campaign in the order of their ids.

        Raises:
            UnknownCampaignError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            if await campaigns.find(connection, wanted.campaign_id) is None:
                raise _unknown(wanted.campaign_id)
            return await members.page(connection, wanted, after, limit)

    async def pause(self, campaign_id: UUID) -> Shown:
        """Let nothing more begin, until it is resumed; what has begun goes on.

        Raises:
            UnknownCampaignError, CampaignStateError: there is none, or it is over.
        """

        def paused(campaign: Campaign, _: Counts, now: datetime) -> Campaign:
            if campaign.state == "paused":
                return campaign
            return changed(_live(campaign, "paused"), "paused", now, "by_operator")

        return await self._change(campaign_id, paused)

    async def resume(self, campaign_id: UUID) -> Shown:
        """Go on with what was paused or stopped.

        Raises:
            UnknownCampaignError, CampaignStateError: there is none, or it is over.
        """

        def going(campaign: Campaign, counts: Counts, now: datetime) -> Campaign:
            if _live(campaign, "resumed").state == "running":
                return campaign
            return resumed(campaign, tally_of(campaign, counts), now)

        return await self._change(campaign_id, going)

    async def cancel(self, campaign_id: UUID) -> Shown:
        """End it: stations that wait are left as they are; what has begun goes on to its end.

        Raises:
            UnknownCampaignError, CampaignStateError: there is none, or it is over.
        """

        def over(campaign: Campaign, _: Counts, now: datetime) -> Campaign:
            if campaign.state == "cancelled":
                return campaign
            return changed(_live(campaign, "cancelled"), "cancelled", now, "by_operator")

        return await self._change(campaign_id, over, self._take_back)

    async def _take_back(self, tx: Transaction, campaign_id: UUID) -> None:
        """Give up the updates whose stations were not asked yet."""
        await self._updates.cancel_waiting(tx, await members.update_ids(tx.connection, campaign_id))

    async def look(self) -> None:
        """Look at all campaigns that are due, and do what is to be done."""
        await self._due.sweep()

    async def forget(self) -> None:
        """Drop campaigns that ended long ago, each with its stations; one of many stations in pieces."""
        more = True
        while more:
            async with self._database.transaction() as tx:
                campaign_id = await campaigns.take_over(tx.connection, tx.now - self._kept)
                more = campaign_id is not None
                if campaign_id is not None:
                    await campaigns.forget(tx.connection, campaign_id, _FORGOTTEN_AT_ONCE)

    async def _change(
        self,
        campaign_id: UUID,
        change: Callable[[Campaign, Counts, datetime], Campaign],
        besides: Callable[[Transaction, UUID], Awaitable[None]] | None = None,
    ) -> Shown:
        async with self._database.transaction() as tx:
            campaign = await campaigns.lock(tx.connection, campaign_id)
            if campaign is None:
                raise _unknown(campaign_id)
            counts = await members.counts(tx.connection, campaign_id)
            after = change(campaign, counts, tx.now)
            if after != campaign:
                await campaigns.keep(tx.connection, after)
                self._tell(tx, after, counts)
                if besides is not None:
                    await besides(tx, campaign_id)
                await due.mark(tx.connection, [campaign_id], tx.now)
        return Shown(after, counts)

    async def _listed(self, connection: asyncpg.Connection, wanted: Wanted, now: datetime) -> tuple[str, Listed]:
        found = _objections(wanted.rules)
        image_id = wanted.image_id
        image = (await self._images.firmware(connection, [image_id])).get(image_id)
        if image is None:
            found.append(Objection("image_id", f"there is no image {image_id}"))
        elif not image.url and (why := self._updates.why_not(wanted.rules.over)):
            found.append(Objection("rules.over", why))
        if image is None or found:
            raise UnfitCampaignError(found)
        candidates = await members.candidates(connection, wanted.selector, wanted.rules.parallel_per)
        misfits = await self._images.misfits(connection, image_id, [_station(each) for each in candidates])
        seed = f"{image_id}/{wanted.name}"
        fits = _fits("" if wanted.rules.same_version else image.version, misfits)
        stations = await asyncio.to_thread(listed, candidates, fits, wanted.rules.waves, seed, now)
        if not stations.waiting:
            raise UnfitCampaignError([Objection("selector", _nobody(stations))])
        return image.version, stations

    async def _take(self, tx: Transaction, limit: int) -> Sequence[Due]:
        return await due.take(tx.connection, tx.now, limit)

    async def _look_all(self, tx: Transaction, taken: Sequence[Due]) -> int:
        for each in taken:
            await self._look(tx, each)
        return len(taken)

    async def _look(self, tx: Transaction, taken: Due) -> None:
        campaign = await campaigns.find(tx.connection, taken.campaign_id)
        if campaign is None:
            await due.put_off(tx.connection, taken, None, tx.now)
            return
        decision = decide(campaign, await self._seen(tx, campaign), tx.now)
        after = await self._begin(tx, decision)
        await members.keep(tx.connection, campaign.campaign_id, after)
        self._metrics.count_members(after)
        if decision.campaign != campaign:
            await campaigns.keep(tx.connection, decision.campaign)
        if _is_news(campaign, decision.campaign):
            self._tell(tx, decision.campaign, await members.counts(tx.connection, campaign.campaign_id))
        await due.put_off(tx.connection, taken, decision.next_look_at, tx.now)

    async def _seen(self, tx: Transaction, campaign: Campaign) -> Seen:
        """Return what a look sees: counts, and of each kind of stations a few."""
        connection, campaign_id = tx.connection, campaign.campaign_id
        counts = await members.counts(connection, campaign_id)
        updating = await members.updating_at(connection, campaign_id)
        ended = await members.ended(connection, campaign_id, AT_ONCE)
        updates = await update_store.find(connection, [each.update_id for each in ended if each.update_id])
        checking = await members.checking(connection, campaign_id, tx.now, AT_ONCE)
        waiting: Sequence[Member] = ()
        spares: Sequence[Member] = ()
        left, full = at_work(campaign, updating, ended)
        most = AT_ONCE
        if campaign.state == "cancelled":
            waiting = await members.all_waiting(connection, campaign_id, most)
        elif campaign.state == "running" and left < campaign.rules.parallel:
            most = most_waiting(campaign, left)
            waiting = await members.waiting(connection, campaign, full, tx.now, most)
            if waiting and may_exchange(campaign, tx.now):
                spares = await members.spares(connection, campaign, full, len(waiting))
        facts = await self._facts(tx, [*checking, *waiting, *spares])
        return Seen(
            counts=counts,
            updating_at=updating,
            ended=[(each, updates[each.update_id]) for each in ended if each.update_id in updates],
            due=_with(checking, facts),
            waiting=_with(waiting, facts),
            spares=_with(spares, facts),
            next_at=await members.next_look_at(connection, campaign, tx.now),
            more=len(ended) >= AT_ONCE or len(checking) >= AT_ONCE,
            more_waiting=len(waiting) >= most,
        )

    async def _facts(self, tx: Transaction, seen: Sequence[Member]) -> Mapping[str, Facts]:
        """Return what is known of stations, held until the look is over: what is heard of them comes after it.

        Else a station that comes while it is put off would be waited for all the same.
        """
        station_ids = {member.station_id for member in seen}
        await station_store.hold(tx, station_ids)
        return await members.facts(tx.connection, station_ids)

    async def _begin(self, tx: Transaction, decision: Decision) -> list[Member]:
        """Begin the updates that were decided; return all stations that have changed."""
        if not decision.starts:
            return list(decision.members)
        campaign = decision.campaign
        wanted = [
            WantedUpdate(
                station_id,
                image_id=campaign.image_id,
                campaign_id=str(campaign.campaign_id),
                over=campaign.rules.over,
            )
            for station_id in decision.starts
        ]
        started, starts = await self._updates.start(tx, wanted), set(decision.starts)
        return [
            _begun(campaign, member, started, tx.now) if member.station_id in starts else member
            for member in decision.members
        ]

    def _tell(self, tx: Transaction, campaign: Campaign, counts: Counts) -> None:
        self._metrics.campaign_changes.add(1, {"state": campaign.state})
        tx.send(campaign_event(campaign, counts))


def _with(seen: Sequence[Member], facts: Mapping[str, Facts]) -> Sequence[tuple[Member, Facts | None]]:
    return [(member, facts.get(member.station_id)) for member in seen]


def _begun(campaign: Campaign, member: Member, started: Started, now: datetime) -> Member:
    """Return a station that was to begin: with its update, or as one that could not."""
    update = started.updates.get(member.station_id)
    if update is None:
        return not_begun(campaign, member, *started.refused[member.station_id], now)
    *before, last = member.path
    step = msgspec.structs.replace(last, update_id=update.update_id)
    return msgspec.structs.replace(member, update_id=update.update_id, path=(*before, step))


def _station(candidate: Candidate) -> Station:
    make = Make(candidate.vendor, candidate.model, firmware_version=candidate.firmware_version)
    return Station(candidate.station_id, make)


async def in_campaign(connection: asyncpg.Connection, image_id: str) -> str | None:
    """Return what uses an image: a campaign that is not over."""
    going_on = await campaigns.going_on(connection)
    campaign = next((each for each in going_on if str(each.image_id) == image_id), None)
    return None if campaign is None else f"the campaign {campaign.campaign_id} is {campaign.state}"


def _is_news(before: Campaign, after: Campaign) -> bool:
    return (before.state, before.wave) != (after.state, after.wave)


def _live(campaign: Campaign, what: str) -> Campaign:
    if campaign.state not in LIVE:
        raise CampaignStateError(f"The campaign is {campaign.state}, and cannot be {what}.")
    return campaign


def _fits(version: str, misfits: Mapping[str, str]) -> Fits:
    """Return what tells why an image is not for a station: also if it has that version; an empty one is none."""

    def misfit(candidate: Candidate) -> Misfit | None:
        if version and candidate.firmware_version == version:
            return Misfit("has_version", f"It has version {version} already.")
        what = misfits.get(candidate.station_id)
        return None if what is None else Misfit("unfit", what)

    return misfit


def _objections(rules: Rules) -> list[Objection]:
    what = "" if rules.window is None else objection(rules.window, rules.wait_s)
    return [Objection("rules.window", what)] if what else []


def _nobody(stations: Listed) -> str:
    reasons = Counter(member.reason for member in stations.skipped)
    if not reasons:
        return "there is no such station"
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    return f"none of these stations can be updated: {told}"


def _unknown(campaign_id: UUID) -> UnknownCampaignError:
    return UnknownCampaignError(f"There is no campaign {campaign_id}.")
