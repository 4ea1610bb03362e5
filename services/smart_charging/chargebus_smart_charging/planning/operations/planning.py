"""Plans the sites that are due: any copy of the service may, and no two plan one at once.

A piece of sites is claimed and read in one short transaction, planned outside of any, and written in another, in which
the rows of the sites are locked: what was planned counts only if nobody has planned the site meanwhile, and nothing has
changed of how its EVSEs are steered. So nothing waits for a plan, and a copy that stood still cannot tell stations what
is out of date. A copy that dies leaves a claim, which runs out.
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from chargebus_events import public
from chargebus_events.record import Record
from chargebus_runtime.database import Database, Transaction

from chargebus_smart_charging.allocation.domain.ease import is_easy
from chargebus_smart_charging.allocation.domain.fitting import fits
from chargebus_smart_charging.allocation.domain.guiding import Guide
from chargebus_smart_charging.allocation.domain.problem import Plan
from chargebus_smart_charging.metrics import Metrics
from chargebus_smart_charging.names import SOURCE
from chargebus_smart_charging.planning.domain.controller import Sighted, decided, sight
from chargebus_smart_charging.planning.domain.decision import Decision, shown
from chargebus_smart_charging.planning.domain.due import next_due
from chargebus_smart_charging.planning.domain.known import Shown, Tally
from chargebus_smart_charging.planning.operations.solver import NoPlanError, Solvers
from chargebus_smart_charging.planning.payload import evse_alert, plan_of, site_alert
from chargebus_smart_charging.planning.store import known as known_store
from chargebus_smart_charging.planning.store import locking, plans
from chargebus_smart_charging.planning.store.known import Loaded
from chargebus_smart_charging.planning.store.plans import Planned
from chargebus_smart_charging.sites.domain.site import EvseKey
from chargebus_smart_charging.sites.store import due
from chargebus_smart_charging.sites.store.due import Due
from chargebus_smart_charging.steering.operations import Steering
from chargebus_smart_charging.vehicles.store import vehicles

log = logging.getLogger(__name__)

PIECE: Final = 50
CLAIM: Final = timedelta(seconds=15)
"""For how long sites are a copy's to plan; longer than all that it does with them."""

_GUIDED_FOR: Final = timedelta(minutes=5)
"""For how long a plan of the optimiser is followed, before the site is thought over again: as long as it fits, and
nobody says that drivers need, or a kilowatt hour costs, something else, and no room has come that it leaves unused."""
_SKIPPED_AT_MOST: Final = 2


class Solved(msgspec.Struct, frozen=True):
    """A site as it was found, and the plan that is followed: the optimiser's, or why it made none where it should.

    `guide` is what the optimiser made of it, and `plan` what that gives from now on.
    """

    sighted: Sighted
    guide: Guide | None = None
    plan: Plan | None = None
    fallback: str = ""


class _Decided(msgspec.Struct, frozen=True):
    """What is decided about a site, and what people see of it."""

    decision: Decision
    shown: Shown


class Planning:
    """Plans sites. Several of its sweeps may run side by side."""

    def __init__(self, database: Database, solvers: Solvers, steering: Steering, metrics: Metrics) -> None:
        self._database = database
        self._solvers = solvers
        self._steering = steering
        self._metrics = metrics
        self._skipped: dict[str, int] = {}

    async def sweep(self) -> None:
        """Plan what is due, piece by piece."""
        while await self._sweep_some():
            pass

    async def _sweep_some(self) -> bool:
        """Plan a piece; tell whether there may be more."""
        began = time.monotonic()
        claimed, now = await self._claim()
        if claimed:
            solved = await self._solve(claimed, now)
            decisions = await asyncio.to_thread(_decide, solved)
            await self._carry_out(claimed, solved, decisions)
            self._metrics.planned_within(time.monotonic() - began)
        return len(claimed) >= PIECE

    async def _claim(self) -> tuple[dict[str, tuple[Due, Loaded]], datetime]:
        """Take sites that are due, and read all that is known of them."""
        async with self._database.transaction() as tx:
            taken = {each.site_id: each for each in await due.take(tx.connection, tx.now, PIECE)}
            if not taken:
                return {}, tx.now
            loaded = await known_store.load(tx.connection, taken.keys(), tx.now)
            until = tx.now + CLAIM
            await due.put_off(tx.connection, [(each, until) for each in taken.values()])
        self._metrics.claimed([max(0.0, (tx.now - each.due_at).total_seconds()) for each in taken.values()])
        return {site_id: (taken[site_id], loaded[site_id]) for site_id in taken if site_id in loaded}, tx.now

    async def _solve(self, claimed: Mapping[str, tuple[Due, Loaded]], now: datetime) -> dict[str, Solved]:
        """Return the sites as they are found, with the plans of the optimiser where there is something to gain."""
        found = await asyncio.to_thread(_sight, {site_id: loaded for site_id, (_, loaded) in claimed.items()}, now)
        solved = await asyncio.gather(*(self._guided(each, claimed[site_id][1]) for site_id, each in found.items()))
        return dict(zip(found, solved, strict=True))

    async def _guided(self, sighted: Sighted, loaded: Loaded) -> Solved:
        problem, guide = sighted.problem, loaded.last.guide
        if not problem.demands or is_easy(problem):
            return Solved(sighted)
        if guide is not None and sighted.at < guide.at + _GUIDED_FOR:
            plan = guide.shifted(problem, sighted.needs)
            if plan is not None and fits(problem, plan):
                return Solved(sighted, guide, plan)
        try:
            plan = await self._solvers.solve(problem)
        except NoPlanError as error:
            self._metrics.fell_back()
            return Solved(sighted, fallback=str(error))
        return Solved(sighted, sighted.guide(plan), plan)

    async def _carry_out(
        self,
        claimed: Mapping[str, tuple[Due, Loaded]],
        solved: Mapping[str, Solved],
        decisions: Mapping[str, _Decided],
    ) -> None:
        """Write what was decided, and have it told, where nothing has changed meanwhile; all else is due again."""
        async with self._database.transaction() as tx:
            held = await locking.hold(tx.connection, decisions.keys())
            turns = await plans.turns(tx.connection, held.keys())
            kept = [
                site_id
                for site_id, present in held.items()
                if turns.get(site_id, 0) == claimed[site_id][1].last.turn
                and self._is_current(claimed[site_id][0], present)
            ]
            done = [_Done(held[each], claimed[each][1], solved[each], decisions[each]) for each in kept]
            await self._act(tx, done)
            await self._keep(tx, done)
            again = {site_id: (present, tx.now) for site_id, present in held.items()}
            later = {each.site_id: (each.due, next_due(each.loaded.known, each.decision)) for each in done}
            await due.put_off(tx.connection, list((again | later).values()))
        self._metrics.replanned(len(decisions) - len(done))
        for each in done:
            self._metrics.planned(each.decision.plan.method)
            self._metrics.tally(_amounts(each.decision.tally))
            self._metrics.overloaded(each.site_id, each.decision.tally.overload_s)

    def _is_current(self, claimed: Due, present: Due) -> bool:
        """Tell whether a site was not marked since it was claimed; one that always is, is planned all the same."""
        if claimed.marks == present.marks or self._skipped.get(claimed.site_id, 0) >= _SKIPPED_AT_MOST:
            self._skipped.pop(claimed.site_id, None)
            return True
        self._skipped[claimed.site_id] = self._skipped.get(claimed.site_id, 0) + 1
        return False

    async def _act(self, tx: Transaction, done: Sequence["_Done"]) -> None:
        """Ask stations what was decided of their EVSEs."""
        if not done:
            return
        steps = {key: step for each in done for key, step in each.decision.steps.items()}
        steerables = {key: steerable for each in done for key, steerable in each.decision.steerables.items()}
        await self._steering.act(tx, msgspec.structs.replace(done[0].loaded.steering, steerables=steerables), steps)

    async def _keep(self, tx: Transaction, done: Sequence["_Done"]) -> None:
        """Keep plans, and say what has changed by them."""
        planned = [each.planned for each in done]
        await plans.keep(tx.connection, planned)
        await plans.add(tx.connection, [each for each, of in zip(planned, done, strict=True) if of.decision.is_news])
        held: dict[EvseKey, float | None] = {}
        for each in done:
            held |= {evse.key: each.decision.held.get(evse.key) for evse in each.loaded.known.site.evses}
            for record in _told(each):
                tx.send(record)
        await vehicles.allow(tx.connection, held, tx.now)


class _Done(msgspec.Struct, frozen=True):
    """A site that is planned."""

    due: Due
    loaded: Loaded
    solved: Solved
    decided: _Decided

    @property
    def decision(self) -> Decision:
        """What is decided about it."""
        return self.decided.decision

    @property
    def site_id(self) -> str:
        """The site."""
        return self.due.site_id

    @property
    def planned(self) -> Planned:
        """What is kept of it; its plan has a name of its own, later ones later in the alphabet."""
        turn = self.loaded.last.turn + 1
        plan_id = f"{self.decision.at:%Y%m%dT%H%M%S}-{turn:08d}"
        guide = self.solved.guide or self.loaded.last.guide
        named = msgspec.structs.replace(self.decided.shown, plan_id=plan_id)
        return Planned(self.site_id, turn, self.decision.memory, named, guide)


def _amounts(tally: Tally) -> dict[str, float]:
    return {
        "unserved": tally.unserved_wh,
        "disobedience": tally.disobedience_s,
        "unsteerable": tally.unsteerable_s,
        "commands": tally.commands,
        "vehicle_time": tally.vehicle_s,
    }


def _sight(loaded: Mapping[str, Loaded], now: datetime) -> dict[str, Sighted]:
    return {site_id: sight(each.known, now) for site_id, each in loaded.items()}


def _decide(solved: Mapping[str, Solved]) -> dict[str, _Decided]:
    return {site_id: _decided(each) for site_id, each in solved.items()}


def _decided(solved: Solved) -> _Decided:
    """Return what is decided about a site, and what people see of it: both take time, which is not the loop's."""
    decision = decided(solved.sighted, solved.plan, solved.fallback)
    return _Decided(decision, shown(decision, ""))


def _told(done: _Done) -> Iterator[Record]:
    """Yield what others are told of a site that is planned."""
    site_id, decision, at = done.site_id, done.decision, done.decision.at
    plan = done.planned.shown
    if decision.is_news:
        yield public.event(public.CHARGING_PLAN, f"{site_id}/{plan.plan_id}", SOURCE, at, plan_of(site_id, plan))
    alerts = [site_alert(site_id, each, at) for each in decision.notices]
    alerts += [evse_alert(site_id, key, each, at) for key, step in decision.steps.items() for each in step.notices]
    for alert in alerts:
        yield public.event(public.ALERT_CHANGED, f"{alert.alert_id}/{alert.state}/{plan.plan_id}", SOURCE, at, alert)
