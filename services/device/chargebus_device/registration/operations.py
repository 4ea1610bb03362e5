"""Owns registering stations and giving them passwords: one by one, in bulk, and for those that nobody registered."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from chargebus_events.registry import OnboardingPolicy, RegisteredStation, UnknownStations
from chargebus_runtime import secrets
from chargebus_runtime.database import Database, Transaction
from pydantic import ValidationError

from chargebus_device.registration.domain import NewStation, Passwords
from chargebus_device.registration.errors import TooManyPasswordsError, TooManyStationsError
from chargebus_device.registration.resources import BulkItem, StationIn, ratings_of
from chargebus_device.registration.store import descriptions, onboarding, passwords, stations

NEWS_WITHIN_S: Final = 3.0


@dataclass(frozen=True)
class Password:
    """A station's password: `shown` is the generated one, None if the operator chose it."""

    shown: str | None
    stored: str


@dataclass(frozen=True)
class BulkLimits:
    """How many stations one call may register, and how many of them with a password that an operator chose."""

    stations: int
    chosen_passwords: int


class News(Protocol):
    """Whether presence is applied up to now."""

    async def with_all_of(self, key: str, within_s: float) -> bool:
        """Wait until all that stands there of a key is applied; return whether it is, within so many seconds."""
        ...


class Registrar:
    """Registers stations; once it has, they are in the topic that edges read, unless Kafka is away.

    Passwords that operators chose are hashed one at a time: scrypt must not take the machine.
    """

    def __init__(self, database: Database, limits: BulkLimits, news: News) -> None:
        self._database = database
        self._limits = limits
        self._news = news
        self._lane = asyncio.Lock()

    async def register(self, wanted: StationIn) -> Password | None:
        """Register a station; return its password, None if its id is taken."""
        password = await self._password(wanted.password)
        async with self._database.transaction() as tx:
            created = await stations.register(tx.connection, [_new(wanted, password)], tx.now)
            await _announce(tx, created)
        await tx.published()
        return password if created else None

    async def register_many(self, wanted: Sequence[object]) -> list[BulkItem]:
        """Register what can be registered, in one transaction; return what became of each, in order.

        Raises:
            TooManyStationsError, TooManyPasswordsError: more than one call may have; none was registered.
        """
        self._check_size(wanted)
        valid: dict[str, StationIn] = {}
        for item in wanted:
            if isinstance(item, StationIn):
                valid.setdefault(item.station_id, item)
        async with self._database.pool.acquire() as connection:
            taken = await stations.existing(connection, list(valid))
        made = {name: await self._password(item.password) for name, item in valid.items() if name not in taken}
        created = await self._register_all([_new(valid[name], password) for name, password in made.items()])
        fresh = {name: made[name] for name in created}
        return [_result(item, valid, fresh) for item in wanted]

    async def rotate(
        self, station_id: str, chosen: str | None = None, older_valid_s: float | None = None
    ) -> Password | None:
        """Give a station a newer password; return it, None if there is no such station.

        Args:
            station_id: whose.
            chosen: left out, it is generated.
            older_valid_s: how long the older ones stay valid at most; left out, until the station uses the new one.

        Raises:
            TooManyChangesError: the station has used none of so many.
        """
        password = await self._password(chosen)

        def change(known: Passwords, now: datetime) -> Passwords:
            older_until = None if older_valid_s is None else now + timedelta(seconds=older_valid_s)
            return known.given(password.stored, now, older_until)

        return password if await self._change(station_id, change) else None

    async def end_older(self, station_id: str) -> bool:
        """End all passwords of a station but the newest; tell whether there is such a station.

        Raises:
            NoChangeError: it has one only.
        """
        return await self._change(station_id, Passwords.without_older)

    async def take_back_newer(self, station_id: str) -> bool:
        """Take back the passwords that a station has not used; tell whether there is such a station.

        Its newest use is known first: one that it came in with just now is the only one that it still has.

        Raises:
            NoChangeError: it has used the newest.
        """
        await self._news.with_all_of(station_id, NEWS_WITHIN_S)
        return await self._change(station_id, Passwords.without_newer)

    async def _change(self, station_id: str, change: Callable[[Passwords, datetime], Passwords]) -> bool:
        async with self._database.transaction() as tx:
            known = await passwords.lock(tx.connection, station_id)
            if known is None:
                return False
            registered = await passwords.keep(tx.connection, station_id, change(known, tx.now), tx.now)
            if registered is not None:
                tx.send(registered.record())
        await tx.published()
        return True

    async def set_onboarding(
        self, unknown_stations: UnknownStations, *, new_password: bool
    ) -> tuple[OnboardingPolicy, str | None]:
        """Set the onboarding policy; return it, and the onboarding password if a new one was generated.

        A policy that lets stations in keeps its password unless a new one is asked for; one that refuses forgets it.
        """
        async with self._database.transaction() as tx:
            before = await onboarding.lock(tx.connection)
            stored, shown = before.password_hash if before else "", None
            if unknown_stations == "refuse":
                stored = ""
            elif new_password or not stored:
                shown = secrets.generate_password()
                stored = secrets.hash_generated(shown)
            policy = await onboarding.save(tx.connection, unknown_stations, stored, tx.now)
            tx.send(policy.record())
        await tx.published()
        return policy, shown

    async def _register_all(self, new: Sequence[NewStation]) -> set[str]:
        if not new:
            return set()
        async with self._database.transaction() as tx:
            created = await stations.register(tx.connection, new, tx.now)
            await _announce(tx, created)
        await tx.published()
        return {registered.station_id for registered in created}

    async def _password(self, chosen: str | None) -> Password:
        if chosen is None:
            generated = secrets.generate_password()
            return Password(generated, secrets.hash_generated(generated))
        async with self._lane:
            return Password(None, await asyncio.to_thread(secrets.hash_chosen, chosen))

    def _check_size(self, wanted: Sequence[object]) -> None:
        if len(wanted) > self._limits.stations:
            detail = f"One call may register {self._limits.stations} stations; send the rest in further calls."
            raise TooManyStationsError(detail)
        chosen = sum(isinstance(item, StationIn) and item.password is not None for item in wanted)
        if chosen > self._limits.chosen_passwords:
            detail = (
                f"One call may bring {self._limits.chosen_passwords} passwords, as hashing them takes time; "
                "send the rest in further calls."
            )
            raise TooManyPasswordsError(detail)


async def describe(tx: Transaction, station_ids: Collection[str]) -> None:
    """Tell `station.events` what operators say of stations, in their transaction."""
    for record in await descriptions.tell(tx.connection, station_ids, tx.now):
        tx.send(record)


async def _announce(tx: Transaction, created: Sequence[RegisteredStation]) -> None:
    for registered in created:
        tx.send(registered.record())
    await describe(tx, [registered.station_id for registered in created])


def _new(wanted: StationIn, password: Password) -> NewStation:
    return NewStation(
        station_id=wanted.station_id,
        registration=wanted.registration,
        password_hash=password.stored,
        security_profile=wanted.security_profile,
        versions=tuple(wanted.versions),
        name=wanted.name,
        labels=wanted.labels,
        strict=wanted.strict,
        ratings=ratings_of(wanted.ratings),
        time_zone=wanted.time_zone,
        certificate_identity=wanted.certificate_identity,
        certificate_pins=tuple(wanted.certificate_pins),
    )


def _result(item: object, valid: Mapping[str, StationIn], fresh: dict[str, Password]) -> BulkItem:
    """Tell what became of an item; the first of two with the same id is the one that counts."""
    if not isinstance(item, StationIn):
        return _invalid(item)
    if item is not valid[item.station_id] or item.station_id not in fresh:
        detail = "There is a station with this id already; it was left as it is."
        return BulkItem(station_id=item.station_id, result="exists", detail=detail)
    return BulkItem(station_id=item.station_id, result="created", password=fresh[item.station_id].shown)


def _invalid(item: object) -> BulkItem:
    station_id = item.get("station_id") if isinstance(item, dict) else None
    try:
        StationIn.model_validate(item)
    except ValidationError as error:
        detail = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'station'}: {e['msg']}" for e in error.errors())
    return BulkItem(station_id=station_id if isinstance(station_id, str) else None, result="invalid", detail=detail)
