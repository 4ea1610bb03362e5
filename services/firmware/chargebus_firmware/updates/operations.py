"""What is done about updates over HTTP, for campaigns, and by time, each in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol, TypeAlias
from uuid import UUID, uuid4

import asyncpg
from chargebus_commanding import Ask, Commanding
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.sealing import Sealing, SealingError
from chargebus_runtime.tasks import DueWork

from chargebus_firmware.images.domain.image import IMAGE, Image
from chargebus_firmware.images.operations import images as images_operations
from chargebus_firmware.keys import Key
from chargebus_firmware.links.domain.link import Transport
from chargebus_firmware.links.operations.links import Links
from chargebus_firmware.stations import store as stations
from chargebus_firmware.stations.domain import Station
from chargebus_firmware.stations.operations import PROTOCOLS_WITHIN_S, Protocols
from chargebus_firmware.updates import store
from chargebus_firmware.updates.block import Keeping
from chargebus_firmware.updates.domain import telling, timing
from chargebus_firmware.updates.domain.update import Firmware, Update, Wanted, failed, noted
from chargebus_firmware.updates.errors import (
    BegunError,
    BusyStationError,
    NotServedError,
    TooFarAheadError,
    UnfitImageError,
    UnknownImageError,
    UnknownTargetError,
    UnknownUpdateError,
    UpdateError,
)
from chargebus_firmware.updates.payload import Request
from chargebus_firmware.updates.routes import PROBE, UPDATE, probe_forms, update_forms
from chargebus_firmware.updates.store import Filter

_AT_ONCE: Final = 200
_LINK_FOR: Final = timedelta(days=7)  # from when on the station is to fetch it
_PLANNED: Final = timedelta(days=366)
_PRUNED_AT_ONCE: Final = 1000
_ASK_TTL_S: Final = 30.0
_PROBE_TTL_S: Final = 60.0
_PROTOCOLS_WITHIN: Final = timedelta(seconds=PROTOCOLS_WITHIN_S)

Refusal: TypeAlias = Literal["unknown_station", "offline", "charging", "busy", "unknown_image", "unfit", "not_served"]
_ERRORS: Final[Mapping[Refusal, type[UpdateError]]] = {
    "unknown_station": UnknownTargetError,
    "offline": BusyStationError,
    "charging": BusyStationError,
    "busy": BusyStationError,
    "unknown_image": UnknownImageError,
    "unfit": UnfitImageError,
    "not_served": NotServedError,
}


class Images(Protocol):
    """The images there are."""

    async def firmware(self, connection: asyncpg.Connection, image_ids: Sequence[str]) -> Mapping[str, Firmware]:
        """Return images as what is to be installed; those that there are not are left out."""
        ...

    async def misfits(
        self, connection: asyncpg.Connection, image_id: str, wanted: Sequence[Station]
    ) -> Mapping[str, str]:
        """Return why an image is not for some of these stations, by station."""
        ...

    async def locate(self, tx: Transaction, updates: Sequence[Update]) -> Mapping[UUID, str]:
        """Return from where stations are to fetch what updates install, in the transaction that asks for them."""
        ...

    def why_not(self, over: Transport | None) -> str:
        """Return why stations cannot fetch what is kept here over a transport; empty: they can. None: over any."""
        ...

    def choose(self, station: Station) -> Transport | None:
        """Return over what a station is to fetch what is kept here; None: it is to be asked first what it knows."""
        ...


class OurImages:
    """The images that are kept here, or known of: stations get a link of their own to what is kept."""

    def __init__(self, images: images_operations.Images, links: Links, sealing: Sealing) -> None:
        self._images = images
        self._links = links
        self._sealing = sealing

    async def firmware(self, connection: asyncpg.Connection, image_ids: Sequence[str]) -> Mapping[str, Firmware]:
        """Return images as what is to be installed; those that have no content are left out."""
        usable = await self._images.usable(connection, image_ids)
        return {image_id: _firmware(image) for image_id, image in usable.items()}

    async def misfits(
        self, connection: asyncpg.Connection, image_id: str, wanted: Sequence[Station]
    ) -> Mapping[str, str]:
        """Return why an image is not for some of these stations, by station."""
        return await self._images.misfits(connection, image_id, wanted)

    async def locate(self, tx: Transaction, updates: Sequence[Update]) -> Mapping[UUID, str]:
        """Return where stations fetch what updates install: where it is elsewhere, or a link that is made here."""
        ours = {update.firmware.image_id for update in updates if not update.firmware.url}
        found = await self._images.usable(tx.connection, ours) if ours else {}
        return {update.update_id: update.firmware.url or await self._link(tx, update, found) for update in updates}

    async def _link(self, tx: Transaction, update: Update, found: Mapping[str, Image]) -> str:
        image_id = update.firmware.image_id
        name = found[image_id].file_name if image_id in found else image_id
        times = [at for at in (tx.now, update.plan.retrieve_at) if at is not None]
        ends_at, over = max(times) + _LINK_FOR, update.plan.over or "http"
        return await self._links.make(tx, update.station_id, IMAGE, image_id, ends_at, name=name, over=over)

    def why_not(self, over: Transport | None) -> str:
        """Return why stations cannot fetch what is kept here over a transport; empty: they can. None: over any."""
        return self._links.why_not(over or "http", self._sealing)

    def choose(self, station: Station) -> Transport | None:
        """Return over what a station is to fetch what is kept here; None: it is to be asked first what it knows."""
        if not self._links.has_choice:
            return "http"
        return None if station.protocols is None else self._links.chosen(station.protocols)


async def in_use(connection: asyncpg.Connection, image_id: str) -> str | None:
    """Return what uses an image: an update that is not over."""
    update = next((each for each in await store.all_open(connection) if each.image_id == image_id), None)
    return None if update is None else f"the update {update.update_id} of {update.station_id} is under way"


def _firmware(image: Image) -> Firmware:
    return Firmware(
        version=image.version,
        url=image.url or "",
        image_id=image.image_id,
        signing_certificate=image.signing_certificate or "",
        signature=image.signature or "",
    )


@dataclass(frozen=True)
class Started:
    """What came of wanted updates, by station: an update each, or why there is none, as a word and for people."""

    updates: Mapping[str, Update] = field(default_factory=dict)
    refused: Mapping[str, tuple[Refusal, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Asking:
    """How long a station may take to answer, and how long one that is away is waited for."""

    timeout_s: float
    wait: timedelta
    keep: timedelta


class Updates:
    """Begins updates, asks stations for them, follows them by time."""

    def __init__(
        self, database: Database, commanding: Commanding, keeping: Keeping, images: Images, asking: Asking
    ) -> None:
        self._database = database
        self._commanding = commanding
        self._keeping = keeping
        self._images = images
        self.why_not = images.why_not
        self._asking = asking
        self._due = DueWork(database, _AT_ONCE, self._take_due, self._carry_out)

    async def start(self, tx: Transaction, wanted: Sequence[Wanted], key: Key = Key()) -> Started:  # noqa: B008 - frozen
        """Begin updates, at most one of each station, within a transaction; who is there is asked with its commit.

        A station that has an open update, or may be at work at one that was given up, gets no other. One of a campaign
        that is not there, or charges, by now gets none: when it is to begin is for the campaign to say.
        """
        wanted = list({each.station_id: each for each in wanted}.values())
        station_ids = {each.station_id for each in wanted}
        known = await stations.lock(tx.connection, station_ids)
        newest = await store.lock_newest(tx.connection, station_ids)
        refused = {
            **self._not_ready(wanted, known),
            **self._absent(wanted, known),
            **self._busy(newest.values(), tx.now),
        }
        chosen, unfit = await self._chosen(tx, [each for each in wanted if each.station_id not in refused], known)
        refused.update(unfit)
        numbers = await store.next_ids(tx.connection, len(chosen))
        new = [
            self._new(each, firmware, number, tx.now) for (each, firmware), number in zip(chosen, numbers, strict=True)
        ]
        await self._keeping.end_links(tx, {each.station_id for each in new})
        asked = await self._ask(tx, [each for each in new if known[each.station_id].online], known)
        after = [asked.get(each.update_id, each) for each in new]
        refused.update({each.station_id: ("not_served", each.detail) for each in after if not each.is_open})
        begun = [each for each in after if each.is_open]
        await store.add(tx.connection, begun, self._keeping.patience, key)
        for update in begun:
            self._keeping.tell(tx, update)
        return Started({update.station_id: update for update in begun}, refused)

    async def create(self, wanted: Wanted, key: Key) -> tuple[Update, bool]:
        """Begin an update; return it, and whether it is new: under the same key it is the one from before.

        Raises:
            UpdateError: there is no such station or image, it does not fit, or the station is busy.
            TooFarAheadError: it is to be done so late.
            KeyUsedError: something else was asked under the key.
        """
        async with self._database.transaction() as tx:
            if any(at is not None and at > tx.now + _PLANNED for at in (wanted.retrieve_at, wanted.install_at)):
                raise TooFarAheadError(f"An update may be planned for the next {_PLANNED.days} days.")
            before = await store.by_key(tx.connection, key)
            if before is not None:
                return before, False
            started = await self.start(tx, [wanted], key)
            for kind, why in started.refused.values():
                raise _ERRORS[kind](why)
        return started.updates[wanted.station_id], True

    async def cancel(self, update_id: UUID) -> Update:
        """Give up an update whose station was not asked yet.

        Raises:
            UnknownUpdateError, BegunError: there is none; it is too late.
        """
        async with self._database.transaction() as tx:
            update = (await store.lock(tx.connection, [update_id])).get(update_id)
            if update is None:
                raise _unknown(update_id)
            if not update.is_open:
                raise BegunError(f"It is over: {update.state}.")
            if update.phase != "waiting":
                raise BegunError(
                    f"The station was asked already ({update.phase}), and OCPP has no message that takes that back. "
                    "Wait for its end."
                )
            after = telling.cancelled(update, tx.now)
            await self._keeping.keep(tx, [update], [after])
        return after

    async def cancel_waiting(self, tx: Transaction, by_station: Mapping[str, UUID]) -> None:
        """Give up those of stations' updates for which they were not asked yet, within a transaction."""
        await stations.hold(tx, by_station)
        found = await store.lock(tx.connection, by_station.values())
        waiting = [update for update in found.values() if update.is_open and update.phase == "waiting"]
        await self._keeping.keep(tx, waiting, [telling.cancelled(update, tx.now) for update in waiting])

    async def find(self, update_id: UUID) -> Update:
        """Return an update.

        Raises:
            UnknownUpdateError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            found = (await store.find(connection, [update_id])).get(update_id)
        if found is None:
            raise _unknown(update_id)
        return found

    async def page(self, wanted: Filter, before: int | None, limit: int) -> Sequence[Update]:
        """Return up to `limit` updates, the newest first."""
        async with self._database.pool.acquire() as connection:
            return await store.page(connection, wanted, before, limit)

    # What time does

    async def sweep(self) -> None:
        """Ask who is there by now, ask how those are that are silent, give up what came to nothing."""
        await self._due.sweep()

    async def prune(self) -> None:
        """Drop what is over for long enough."""
        async with self._database.transaction() as tx:
            await store.prune(tx.connection, tx.now - self._asking.keep, _PRUNED_AT_ONCE)

    async def count(self) -> None:
        """Count the updates that are not over, for the gauge."""
        async with self._database.pool.acquire() as connection:
            self._keeping.count_open(await store.by_state(connection))

    async def _take_due(self, tx: Transaction, limit: int) -> Sequence[Update]:
        return await store.take_due(tx.connection, tx.now, limit)

    async def _carry_out(self, tx: Transaction, due: Sequence[Update]) -> int:
        patience = self._keeping.patience
        known = await stations.find(tx.connection, {update.station_id for update in due})
        after = {update.update_id: timing.after(update, tx.now, patience) for update in due}
        after |= _left(after.values(), known, tx.now)
        waiting = [each for each in after.values() if each.state == "waiting" and _is_there(known, each.station_id)]
        after |= await self._ask(tx, waiting, known)
        for update in after.values():
            probe = timing.probe(update, tx.now, patience)
            if probe is not None:
                ask = Ask(
                    update.station_id, PROBE, probe_forms(probe), ttl_s=_PROBE_TTL_S, subject=str(update.update_id)
                )
                await self._commanding.ask(tx, ask)
                after[update.update_id] = telling.probed(update, tx.now, probe)
        await self._keeping.keep(tx, due, after.values())
        return len(due)

    # Asking

    async def _ask(
        self, tx: Transaction, updates: Sequence[Update], known: Mapping[str, Station]
    ) -> dict[UUID, Update]:
        """Ask the stations of updates that wait; return these as they are then, failed where that cannot be."""
        after = {
            update.update_id: _not_served(update, why, tx.now)
            for update in updates
            if not update.firmware.url and (why := self.why_not(update.plan.over))
        }
        served = []
        for update in updates:
            if update.update_id not in after:
                ready = await self._over(tx, update, known[update.station_id])
                after[update.update_id] = ready
                if ready.firmware.url or ready.plan.over is not None:
                    served.append(ready)
        if not served:
            return after
        located = await self._images.locate(tx, served)
        for update in served:
            forms = update_forms(Request(update, located[update.update_id], tx.now))
            ask = Ask(
                update.station_id,
                UPDATE,
                forms,
                timeout_s=self._asking.timeout_s,
                ttl_s=_ASK_TTL_S,
                subject=str(update.update_id),
                idempotency_key=f"update/{update.update_id}/{update.asks}",
                content=(str(update.update_id), update.asks),
            )
            try:
                await self._commanding.ask(tx, ask)
            except SealingError as error:  # an address elsewhere may hold a secret, too
                after[update.update_id] = _not_served(update, str(error), tx.now)
                continue
            version = known[update.station_id].make.firmware_version
            after[update.update_id] = telling.asked(update, version, tx.now)
        return after

    async def _over(self, tx: Transaction, update: Update, station: Station) -> Update:
        """Return an update with what its file goes over, where nobody said that; first its station is asked, once."""
        if update.firmware.url or update.plan.over is not None:
            return update
        over, asked_at = self._images.choose(station), update.protocols_asked_at
        if over is None and asked_at is None:
            await self._commanding.ask(tx, Protocols.request(station.station_id))
            return telling.protocols_asked(update, tx.now, _PROTOCOLS_WITHIN)
        if over is None and asked_at is not None and tx.now < asked_at + _PROTOCOLS_WITHIN:
            return update
        return telling.over(update, over or "http")

    def _new(self, wanted: Wanted, firmware: Firmware, number: int, now: datetime) -> Update:
        return Update(
            uuid4(),
            wanted.station_id,
            number,
            firmware,
            now,
            now + self._asking.wait,
            wanted.plan,
            wanted.campaign_id or "",
        )

    # What is refused

    @staticmethod
    def _absent(wanted: Sequence[Wanted], known: Mapping[str, Station]) -> dict[str, tuple[Refusal, str]]:
        return {
            each.station_id: (
                "unknown_station",
                f"No station {each.station_id!r} is known here. Register it with POST /v1/stations first.",
            )
            for each in wanted
            if each.station_id not in known or not known[each.station_id].is_known
        }

    @staticmethod
    def _not_ready(wanted: Sequence[Wanted], known: Mapping[str, Station]) -> dict[str, tuple[Refusal, str]]:
        of_campaigns = [known[each.station_id] for each in wanted if each.campaign_id and each.station_id in known]
        charging: dict[str, tuple[Refusal, str]] = {
            each.station_id: ("charging", "It is charging.") for each in of_campaigns if each.open_sessions
        }
        return charging | {
            each.station_id: ("offline", "It is not connected.") for each in of_campaigns if not each.online
        }

    def _busy(self, newest: Iterable[Update], now: datetime) -> dict[str, tuple[Refusal, str]]:
        return {
            update.station_id: ("busy", _busy_with(update))
            for update in newest
            if timing.may_be_at_work(update, now, self._keeping.patience)
        }

    async def _chosen(
        self, tx: Transaction, wanted: Sequence[Wanted], known: Mapping[str, Station]
    ) -> tuple[list[tuple[Wanted, Firmware]], dict[str, tuple[Refusal, str]]]:
        """Return what each is to install, and why others are to install nothing."""
        image_ids = sorted({each.image_id for each in wanted if each.image_id})
        found = await self._images.firmware(tx.connection, image_ids) if image_ids else {}
        misfits: dict[str, str] = {}
        for image_id in found:
            of_image = [known[each.station_id] for each in wanted if each.image_id == image_id]
            misfits |= await self._images.misfits(tx.connection, image_id, of_image)
        chosen: list[tuple[Wanted, Firmware]] = []
        refused: dict[str, tuple[Refusal, str]] = {}
        for each in wanted:
            firmware = each.firmware or found.get(each.image_id or "")
            if firmware is None:
                refused[each.station_id] = ("unknown_image", f"There is no image {each.image_id!r}.")
            elif each.station_id in misfits:
                refused[each.station_id] = ("unfit", misfits[each.station_id])
            elif not firmware.url and (why := self.why_not(each.over)):
                refused[each.station_id] = ("not_served", why)
            else:
                chosen.append((each, firmware))
        return chosen, refused


def _left(updates: Iterable[Update], known: Mapping[str, Station], now: datetime) -> dict[UUID, Update]:
    """Return those of campaigns whose station has gone, or charges, before it was asked: it begins another time."""
    return {
        update.update_id: telling.left(update, now, "It is not there any more, or charges.")
        for update in updates
        if update.campaign_id and update.state == "waiting"
        if not _is_there(known, update.station_id) or known[update.station_id].open_sessions
    }


def _is_there(known: Mapping[str, Station], station_id: str) -> bool:
    station = known.get(station_id)
    return station is not None and station.online and station.is_known


def _busy_with(update: Update) -> str:
    if update.is_open:
        return f"The station has another update under way: {update.update_id} ({update.state}). Wait for its end."
    return (
        f"The station was given up while it was installing ({update.update_id}: {update.reason}), and may still be at "
        "it. Once it boots or says that it is idle, it can be asked again."
    )


def _not_served(update: Update, why: str, now: datetime) -> Update:
    return noted(failed(update, "not_served", now, why), now, "not asked", update, why)


def _unknown(update_id: UUID) -> UnknownUpdateError:
    return UnknownUpdateError(f"There is no update {update_id}.")
