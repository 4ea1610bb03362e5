"""Asks the CSMS for the limits of dynamic charging profiles, as often as they want it (2.1)."""

from dataclasses import replace
from typing import Final

from chargebus_station.clock import happened
from chargebus_station.core import Core
from chargebus_station.effects import Message
from chargebus_station.profiles import Profile
from chargebus_station.rpc import Answer
from chargebus_station.running_visits import RunningVisits
from chargebus_station.v21 import updated

_AGAIN_S: Final = 30.0
"""When a pull is tried again that could not be made."""


class DynamicSchedules:
    """The dynamic profiles of one station. Spec: OCPP 2.1 K28."""

    def __init__(self, core: Core, visits: RunningVisits) -> None:
        self._core = core
        self._visits = visits

    async def pull(self) -> None:
        """Pull what is due, for ever."""
        core = self._core
        while True:
            core.limit_news.clear()
            due = [profile for profile in core.state.profiles.held if profile.dynamic and profile.update_every_s > 0]
            if not due:
                await core.limit_news.wait()
                continue
            profile = min(due, key=self._due_in_s)
            if (wait_s := self._due_in_s(profile)) > 0:
                await happened(core.limit_news, core.clock.sleep(wait_s))
            elif core.online:
                await self._pull(profile)
            else:
                await happened(core.limit_news, core.clock.sleep(_AGAIN_S))

    def _due_in_s(self, profile: Profile) -> float:
        now = self._core.clock.now()
        return profile.update_every_s - (now - (profile.updated_at or now)).total_seconds()

    async def _pull(self, profile: Profile) -> None:
        core = self._core
        outcome = await core.messages.put(Message("PullDynamicScheduleUpdate", {"chargingProfileId": profile.id}))
        now = core.clock.now()
        held = next((each for each in core.state.profiles.held if each.id == profile.id and each.dynamic), None)
        if held is None:
            return
        update = outcome.payload.get("scheduleUpdate") if isinstance(outcome, Answer) else None
        accepted = isinstance(outcome, Answer) and outcome.payload["status"] == "Accepted"
        new = replace(held, updated_at=now) if update is None or not accepted else updated(held, update, now)
        core.state.profiles.install(new, now)
        self._visits.look_again()
