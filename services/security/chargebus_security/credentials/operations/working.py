"""What is done with the stations of campaigns: when they are due, when they are heard of, when they answer."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from chargebus_commanding import Ask, Commanding, Form, Outcome, Transaction
from chargebus_events.credentials import CredentialsChange
from chargebus_runtime.database import Database
from chargebus_runtime.database import Transaction as OwnTransaction
from chargebus_runtime.sealing import Sealing, SealingError
from chargebus_runtime.secrets import fingerprint, generate_password, hash_generated
from chargebus_runtime.tasks import DueWork

from chargebus_security.authorities.domain.profiles import STATION
from chargebus_security.credentials import routes
from chargebus_security.credentials.domain import campaign as life
from chargebus_security.credentials.domain import rotating, upgrading
from chargebus_security.credentials.domain.campaign import Campaign, Member
from chargebus_security.credentials.domain.case import Case, Decision
from chargebus_security.credentials.domain.facts import (
    Action,
    AskCertificate,
    AskRoots,
    Facts,
    Give,
    SetLeast,
    TakeBack,
    Tell,
    Told,
)
from chargebus_security.credentials.domain.rotation import Rotation
from chargebus_security.credentials.domain.upgrade import Upgrade
from chargebus_security.credentials.operations.facts import facts_of
from chargebus_security.credentials.store import campaigns, members
from chargebus_security.metrics import Metrics
from chargebus_security.names import SERVICE
from chargebus_security.signing.routes import TRIGGER, trigger_forms
from chargebus_security.trust.store import stations as trust_stations

TOLD: Final = "credentials"

_LOOKS_AT_ONCE: Final = 100
_CAMPAIGNS_AT_ONCE: Final = 1
_LEFT_AT_ONCE: Final = 5000
_LOOK_AGAIN: Final = timedelta(seconds=1)
_LOOK_LATER: Final = timedelta(seconds=3)
"""After how long a campaign is looked at again of which no station could begin: each look counts all of them."""

_SEALED_LONGER: Final = timedelta(days=1)
_TIMEOUT_S: Final = 30.0
_TTL_S: Final = 10.0

Senders = Callable[[str], Transaction]
"""Returns in whose name something is done about a station: a batch has a record for each."""


class Working:
    """The work of campaigns."""

    def __init__(self, database: Database, commanding: Commanding, sealing: Sealing, metrics: Metrics) -> None:
        self._commanding = commanding
        self._sealing = sealing
        self._metrics = metrics
        self._due_campaigns = DueWork(database, _CAMPAIGNS_AT_ONCE, self._take_campaigns, self._look_at_campaigns)
        self._due_members = DueWork(database, _LOOKS_AT_ONCE, self._take_members, self._look_at_members)

    # What time does

    async def look(self) -> None:
        """Look at the campaigns that are due: what may begin begins, what has waited too long ends."""
        await self._due_campaigns.sweep()

    async def go_on(self) -> None:
        """Look at the stations that are due."""
        await self._due_members.sweep()

    async def _take_campaigns(self, tx: OwnTransaction, limit: int) -> Sequence[Campaign]:
        return await campaigns.take_due(tx.connection, tx.now, limit)

    async def _look_at_campaigns(self, tx: OwnTransaction, taken: Sequence[Campaign]) -> int:
        for campaign in taken:
            await self._look_at_campaign(tx, campaign)
        return len(taken)

    async def _look_at_campaign(self, tx: OwnTransaction, campaign: Campaign) -> None:
        counts = await members.counts(tx.connection, campaign.campaign_id)
        after = life.judged(campaign, counts, tx.now)
        if counts.waiting and campaign.kind == "rotation" and not self._sealing.has_keys:
            after = life.stopped(after, "there is no key to seal passwords with: SEALING_KEYS", tx.now)
        most, again = life.may_begin(after, counts, tx.now), _LOOK_AGAIN
        if counts.waiting and (after.state == "stopped" or tx.now >= after.until):
            await self._give_up(tx, after)
        elif counts.waiting and most:
            waiting = await members.take_waiting(
                tx.connection, campaign.campaign_id, most, by_known_profile=campaign.kind == "upgrade"
            )
            await self._decide(tx, waiting, {campaign.campaign_id: after}, self._begin)
            after = life.begun(after, len(waiting), tx.now)
            again = _LOOK_AGAIN if waiting else _LOOK_LATER
        await campaigns.keep(tx.connection, after, None if after.ended_at else tx.now + again)

    async def _give_up(self, tx: OwnTransaction, campaign: Campaign) -> None:
        left = await members.left(tx.connection, campaign.campaign_id, _LEFT_AT_ONCE)
        state, why = ("cancelled", campaign.reason) if campaign.state == "stopped" else ("left_out", _NOT_THERE)
        after = [life.moved(each, state, tx.now, why) for each in left]  # type: ignore[arg-type]
        await self._keep(tx, {campaign.campaign_id: campaign}, left, after)

    def _begin(self, member: Member, campaign: Campaign, facts: Facts, tx: Transaction) -> Decision:
        if campaign.kind == "upgrade":
            new = Upgrade(tx.now, facts.used_profile, facts.least_profile or 0, facts.epoch)
            return upgrading.begin(Case(member, new, campaign, facts, tx.now))
        secret = generate_password()
        stored = hash_generated(secret)
        sealed = self._sealing.seal(secret.encode(), _context(member), campaign.until + _SEALED_LONGER)
        rotation = Rotation(stored, fingerprint(stored), sealed, tx.now)
        return rotating.begin(Case(member, rotation, campaign, facts, tx.now))

    async def _take_members(self, tx: OwnTransaction, limit: int) -> Sequence[Member]:
        return await members.take_due(tx.connection, tx.now, limit)

    async def _look_at_members(self, tx: OwnTransaction, taken: Sequence[Member]) -> int:
        await self._decide(tx, taken, None, _look)
        return len(taken)

    # What is heard

    async def heard(self, of: Mapping[str, Transaction], *, came: Collection[str] = ()) -> None:
        """Look at stations of which something was heard; those that `came` are there again.

        Args:
            of: the stations, each with the transaction in whose name something is done about it.
            came: those that have connected.
        """
        if not of:
            return
        tx = next(iter(of.values()))
        known = await members.lock_active(tx.connection, of)

        def decide(member: Member, campaign: Campaign, facts: Facts, tx: Transaction) -> Decision:
            is_back = member.station_id in came
            return _look(_back(member, tx) if is_back else member, campaign, facts, tx)

        await self._decide(tx, list(known.values()), None, decide, of.__getitem__)

    # What stations answer

    async def answered(self, tx: Transaction, outcomes: Sequence[Outcome]) -> None:
        """Take what stations say to what they were told."""
        known = await members.lock_active(tx.connection, {each.station_id for each in outcomes})
        for outcome in outcomes:
            member, subject = known.get(outcome.station_id), routes.subject_of(outcome)
            if member is None or str(member.campaign_id) != subject.campaign_id:
                continue
            told = routes.told_of(outcome, subject.order)

            def decide(
                member: Member, campaign: Campaign, facts: Facts, tx: Transaction, told: Told = told
            ) -> Decision:
                return _answered(member, campaign, facts, told, tx)

            known[outcome.station_id] = (await self._decide(tx, [member], None, decide))[0]

    # How it is done

    async def _decide(
        self,
        tx: Transaction,
        before: Sequence[Member],
        of: Mapping[UUID, Campaign] | None,
        decide: Callable[[Member, Campaign, Facts, Transaction], Decision],
        senders: Senders | None = None,
    ) -> list[Member]:
        """Decide about stations, do what follows, and keep them."""
        if not before:
            return []
        known = of or await campaigns.find(tx.connection, list({each.campaign_id for each in before}))
        upgrades = {each.station_id for each in before if known[each.campaign_id].kind == "upgrade"}
        facts = await facts_of(tx.connection, [each.station_id for each in before], upgrades, tx.now)
        after = []
        for member in before:
            campaign, about = known[member.campaign_id], facts[member.station_id]
            as_sender = tx if senders is None else senders(member.station_id)
            decided, action = decide(member, campaign, about, tx)
            after.append(await self._do(as_sender, decided, action, campaign, about))
        await self._keep(tx, known, before, after)
        return after

    async def _keep(
        self, tx: Transaction, known: Mapping[UUID, Campaign], before: Iterable[Member], after: Sequence[Member]
    ) -> None:
        changed = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
        await members.keep(tx.connection, [other for _, other in changed])
        for one, other in changed:
            if one.state != other.state:
                self._metrics.credentials_changed(known[other.campaign_id].kind, other.state)

    async def _do(
        self, tx: Transaction, member: Member, action: Action | None, campaign: Campaign, facts: Facts
    ) -> Member:
        """Do what follows from a decision; return the station after that."""
        while action is not None:
            told: Told | None = None
            match action:
                case Tell():
                    told = await self._tell(tx, member, action, campaign, facts)
                case AskCertificate():
                    await self._ask(tx, member, TRIGGER, trigger_forms(STATION), "")
                case AskRoots():
                    await _ask_roots(tx, member.station_id)
                case Give() | TakeBack() | SetLeast():
                    tx.send(_change(member, action, tx).record())
            if told is None:
                return member
            member, action = _answered(member, campaign, facts, told, tx)
        return member

    async def _tell(self, tx: Transaction, member: Member, tell: Tell, campaign: Campaign, facts: Facts) -> Told | None:
        """Tell a station something; return what came of it if nobody needs to be asked."""
        if tell.order == "password" and isinstance(member.work, Rotation):
            try:
                secret = self._sealing.open(member.work.sealed, _context(member), tx.now).decode()
            except SealingError as error:
                return Told(tell.order, "refused", f"its new password cannot be opened: {error}")
            forms = routes.password_forms(secret)
        elif isinstance(member.work, Upgrade):
            forms = routes.upgrade_forms(tell, campaign, member.work)
        else:
            forms = routes.reset_forms(campaign)
        if not any(facts.ocpp_version in form.versions for form in forms):
            return Told(tell.order, "refused", f"OCPP {facts.ocpp_version} cannot be told so")
        subject = msgspec.json.encode(routes.Subject(str(member.campaign_id), tell.order)).decode()
        await self._ask(tx, member, TOLD, forms, subject)
        return None

    async def _ask(self, tx: Transaction, member: Member, intent: str, forms: tuple[Form, ...], subject: str) -> None:
        await self._commanding.ask(tx, Ask(member.station_id, intent, forms, _TIMEOUT_S, _TTL_S, subject))


_NOT_THERE: Final = "it was not there in time"


async def _ask_roots(tx: Transaction, station_id: str) -> None:
    """Have a station asked which certificates it has, as those are that policies mean."""
    [station] = (await trust_stations.lock(tx.connection, [station_id])).values()
    asked = msgspec.structs.replace(station, report_at=tx.now, due_at=tx.now, is_able=True)
    await trust_stations.keep(tx.connection, [asked])


def _look(member: Member, campaign: Campaign, facts: Facts, tx: Transaction) -> Decision:
    if isinstance(member.work, Rotation):
        return rotating.look(Case(member, member.work, campaign, facts, tx.now))
    if isinstance(member.work, Upgrade):
        return upgrading.look(Case(member, member.work, campaign, facts, tx.now))
    return member, None


def _answered(member: Member, campaign: Campaign, facts: Facts, told: Told, tx: Transaction) -> Decision:
    if isinstance(member.work, Rotation):
        return rotating.answered(Case(member, member.work, campaign, facts, tx.now), told)
    if isinstance(member.work, Upgrade):
        return upgrading.answered(Case(member, member.work, campaign, facts, tx.now), told)
    return member, None


def _back(member: Member, tx: Transaction) -> Member:
    return upgrading.back(member, tx.now) if isinstance(member.work, Upgrade) else rotating.back(member, tx.now)


def _context(member: Member) -> str:
    return f"credentials/{member.campaign_id}/{member.station_id}"


def _change(member: Member, action: Give | TakeBack | SetLeast, tx: Transaction) -> CredentialsChange:
    change_id = f"{member.campaign_id}/{member.station_id}/{type(action).__name__}/{tx.now.timestamp()}"
    known = CredentialsChange(member.station_id, change_id, SERVICE, tx.now)
    match action:
        case Give(stored):
            return msgspec.structs.replace(known, give=stored)
        case TakeBack(stored):
            return msgspec.structs.replace(known, take_back=stored)
        case SetLeast(profile, lowers):
            return msgspec.structs.replace(known, security_profile=profile, lowers=lowers)
