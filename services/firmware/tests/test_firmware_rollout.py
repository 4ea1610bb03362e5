"""A roll-out of 10,000 stations in simulated time, through the same `decide` and the same `Update` as in the field.

What may never happen does not, and all ends.
"""

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID, uuid5

import msgspec
import pytest
from chargebus_firmware.campaigns.domain.campaign import OPEN, Campaign, Member, Rules, Selector, Share
from chargebus_firmware.campaigns.domain.decide import (
    AT_ONCE,
    Seen,
    decide,
    may_exchange,
    most_waiting,
    resumed,
    tally_of,
)
from chargebus_firmware.campaigns.domain.health import ILLNESSES
from chargebus_firmware.campaigns.domain.waves import Candidate, listed
from chargebus_firmware.updates.domain import telling, timing
from chargebus_firmware.updates.domain.update import Firmware, Update

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
OLD, NEW = "1.0.0", "2.0.0"
PATIENCE = timing.Patience()
SPACE = UUID("00000000-0000-0000-0000-000000000011")

WORK = ("Downloading", "Downloaded", "Installing", "Installed")
FAILURES = {
    "no_download": "DownloadFailed",
    "no_signature": "InvalidSignature",
    "no_install": "InstallationFailed",
}


@dataclass
class Station:
    """A simulated station: what it is, and what it does wrong; it is what `decide` sees of it, too."""

    station_id: str
    place: str
    habit: str
    firmware_version: str = OLD
    time_zone: str = "Europe/Amsterdam"
    removed: bool = False
    online: bool = True
    faulted: bool = False
    open_sessions: int = 0
    last_ended_at: datetime | None = None
    at_work: bool = False
    installed_times: int = 0


@dataclass
class Rollout:
    """The world: stations, updates, one campaign, and time, which jumps to what happens next.

    It keeps what the database keeps: the campaign, its stations, the updates. What else it has are indexes of these,
    which `restarted` makes anew.
    """

    rules: Rules
    stations: dict[str, Station]
    seed: int = 1
    now: datetime = START
    updates: dict[UUID, Update] = field(default_factory=dict)
    open_of: dict[str, UUID] = field(default_factory=dict)
    waves: list[int] = field(default_factory=list)
    most_at_once: int = 0
    most_at_place: int = 0
    begun: list[tuple[datetime, str, int]] = field(default_factory=list)
    looks: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.happens: list[tuple[datetime, int, str, tuple[object, ...]]] = []
        self.numbers = count()
        candidates = [
            Candidate(each.station_id, "Acme", "One", each.firmware_version, each.place, each.online)
            for each in self.stations.values()
        ]
        found = listed(candidates, lambda _: None, self.rules.waves, "seed", START)
        self.campaign = Campaign(
            uuid5(SPACE, "campaign"),
            "spring",
            "image",
            NEW,
            Selector(),
            self.rules,
            found.sizes,
            START,
            START,
            START,
        )
        self.members: dict[str, Member] = {member.station_id: member for member in found.waiting}
        self.due_at: datetime | None = START
        self.index()
        for station in self.stations.values():
            if station.habit == "busy":
                self.at(self.random.uniform(0, 7200), "plug", station.station_id)

    def index(self) -> None:
        """Index the stations of the campaign, as the database does."""
        self.counts = Counter((member.wave, member.state) for member in self.members.values())
        self.by_state: dict[str, set[str]] = {state: set() for state in (*OPEN, "succeeded", "failed", "skipped")}
        self.queues: dict[tuple[str, int], list[tuple[datetime, int, str]]] = {}
        self.ready: dict[tuple[str, int], list[tuple[datetime, int, str]]] = {}
        self.places: Counter[str] = Counter()
        self.ended: set[str] = set()
        for member in self.members.values():
            self.by_state[member.state].add(member.station_id)
            if member.state == "updating":
                self.places[member.place] += 1
            self._note_ended(member)
            self._queue(member)

    def _queue(self, member: Member) -> None:
        if member.state in ("waiting", "checking"):
            queue = self.queues.setdefault((member.state, member.wave if member.state == "waiting" else -1), [])
            heapq.heappush(queue, (member.look_at, member.position, member.station_id))

    def restarted(self) -> None:
        """Go on after a death of the service: all that is not in the database is made anew, and every wake is lost."""
        self.campaign = msgspec.msgpack.decode(msgspec.msgpack.encode(self.campaign), type=Campaign)
        encoded = {name: msgspec.msgpack.encode(member) for name, member in self.members.items()}
        self.members = {name: msgspec.msgpack.decode(known, type=Member) for name, known in encoded.items()}
        self.index()

    # Time

    def at(self, in_s: float, what: str, *more: object) -> None:
        heapq.heappush(self.happens, (self.now + timedelta(seconds=in_s), next(self.numbers), what, more))

    def run(self, until: datetime, restart_every: int = 0) -> None:
        """Let time pass until then, or until nothing is left to be done."""
        while self.due_at is not None or self.happens:
            next_at = min(([self.due_at] if self.due_at else []) + ([self.happens[0][0]] if self.happens else []))
            if next_at > until or self._is_over:
                return
            self.now = max(self.now, next_at)
            while self.happens and self.happens[0][0] <= self.now:
                _, _, what, more = heapq.heappop(self.happens)
                getattr(self, f"_{what}")(*more)
            if self.due_at is not None and self.due_at <= self.now:
                self.look()
                if restart_every and self.looks % restart_every == 0:
                    self.restarted()

    @property
    def _is_over(self) -> bool:
        stands = self.campaign.state == "stopped" and not self.open_of and not self.by_state["checking"]
        return stands or (self.due_at is None and not self.open_of)

    def look(self) -> None:
        """Look at the campaign once, as `operations` does."""
        self.looks += 1
        decision = decide(self.campaign, self._seen(), self.now)
        if decision.campaign.wave != self.campaign.wave:
            self.waves.append(decision.campaign.wave)
        self.campaign = decision.campaign
        starts = set(decision.starts)
        for member in decision.members:
            self._keep(self._begin(member) if member.station_id in starts else member)
        updating = self.by_state["updating"]
        self.most_at_once = max(self.most_at_once, len(updating))
        self.most_at_place = max([self.most_at_place, *(self.places[self.members[name].place] for name in starts)])
        self.due_at = decision.next_look_at

    def _seen(self) -> Seen:
        campaign, updating = self.campaign, self.by_state["updating"]
        ended = [(self.members[name], self.updates[self.members[name].update_id]) for name in sorted(self.ended)]
        full = {place for place, number in self.places.items() if number >= self.rules.parallel_each}
        waiting: list[Member] = []
        at_work, most = len(updating) - len(ended), AT_ONCE
        spares: list[Member] = []
        if campaign.state == "running" and at_work < self.rules.parallel:
            most = most_waiting(campaign, at_work)
            waiting = self._due("waiting", campaign.wave, full, most)
            if waiting and may_exchange(campaign, self.now):
                later = sorted(
                    (each for each in self.members.values() if each.state == "waiting" and each.wave > campaign.wave),
                    key=lambda each: each.position,
                )
                spares = [each for each in later if each.place not in full and self._is_ready(each)][: len(waiting)]
        elif campaign.state == "cancelled":
            waiting = [self.members[name] for name in sorted(self.by_state["waiting"])[:AT_ONCE]]
        due = self._due("checking", -1, set(), AT_ONCE)
        kinds = [("checking", -1), *([("waiting", campaign.wave)] if campaign.state == "running" else [])]
        next_at = [at for at in (self._next(*kind) for kind in kinds) if at is not None]
        return Seen(
            counts=self.counts,
            updating_at=self.places,
            ended=ended[:AT_ONCE],
            due=[(each, self.stations[each.station_id]) for each in due],
            waiting=[(each, self.stations[each.station_id]) for each in waiting],
            spares=[(each, self.stations[each.station_id]) for each in spares],
            next_at=min(next_at, default=None),
            more=len(ended) >= AT_ONCE or len(due) >= AT_ONCE,
            more_waiting=len(waiting) >= most,
        )

    def _due(self, state: str, wave: int, full: set[str], most: int) -> list[Member]:
        """Return stations that are due, in order, without those of full places: these stay in the queue."""
        self._ripen(state, wave)
        ready, found, left = self.ready.get((state, wave), []), [], []
        while ready and len(found) < most:
            entry = heapq.heappop(ready)
            member = self.members[entry[2]]
            if self._is_stale(entry, member, state, wave):
                continue
            left.append(entry)
            if member.place not in full:
                found.append(member)
        for entry in left:
            heapq.heappush(ready, entry)
        return found

    def _next(self, state: str, wave: int) -> datetime | None:
        self._ripen(state, wave)
        later = self.queues.get((state, wave), [])
        return later[0][0] if later else None

    def _ripen(self, state: str, wave: int) -> None:
        """Move what is due by now, and drop what is not in the queue any more."""
        later, ready = self.queues.get((state, wave), []), self.ready.setdefault((state, wave), [])
        while later:
            stale = self._is_stale(later[0], self.members[later[0][2]], state, wave)
            if later[0][0] > self.now and not stale:
                return
            entry = heapq.heappop(later)
            if not stale:
                heapq.heappush(ready, entry)

    @staticmethod
    def _is_stale(entry: tuple[datetime, int, str], member: Member, state: str, wave: int) -> bool:
        return member.state != state or member.look_at != entry[0] or wave not in (-1, member.wave)

    def _is_ready(self, member: Member) -> bool:
        station = self.stations[member.station_id]
        return station.online and not station.open_sessions

    def _keep(self, member: Member) -> None:
        before = self.members[member.station_id]
        self.counts[before.wave, before.state] -= 1
        self.counts[member.wave, member.state] += 1
        self.by_state[before.state].discard(member.station_id)
        self.by_state[member.state].add(member.station_id)
        self.members[member.station_id] = member
        self.places[member.place] += (member.state == "updating") - (before.state == "updating")
        if not self.places[member.place]:
            del self.places[member.place]
        self._note_ended(member)
        self._queue(member)

    def _note_ended(self, member: Member) -> None:
        update = self.updates.get(member.update_id) if member.state in ("updating", "failed") else None
        if update is not None and _is_news(member, update):
            self.ended.add(member.station_id)
        else:
            self.ended.discard(member.station_id)

    def _mark(self, station_id: str) -> None:
        """Have the campaign looked at, as something was heard of a station that it waits for."""
        member = self.members.get(station_id)
        if member is None or member.state not in ("waiting", "checking") or member.look_at <= self.now:
            return
        if member.state == "checking" or member.reason in ("offline", "charging"):
            self._keep(msgspec.structs.replace(member, look_at=self.now))
            self.due_at = self.now

    # What stations do

    def _begin(self, member: Member) -> Member:
        """Begin an update, as `updates` does, and let its station do what it does."""
        station = self.stations[member.station_id]
        assert member.station_id not in self.open_of, "two updates at once on one station"
        assert not station.at_work, "asked while it is at work"
        assert not station.open_sessions, "asked while a session is open"
        update_id = uuid5(SPACE, f"{member.station_id}/{member.attempts}")
        assert update_id not in self.updates, "the same try twice"
        new = Update(
            update_id,
            member.station_id,
            next(self.numbers),
            Firmware(NEW),
            self.now,
            self.now + timedelta(days=1),
            campaign_id=str(self.campaign.campaign_id),
        )
        self.updates[update_id] = telling.asked(new, station.firmware_version, self.now)
        self.open_of[member.station_id] = update_id
        self.begun.append((self.now, member.station_id, member.wave))
        self._play(station, update_id)
        self.at((PATIENCE.silent_s + 1), "time", update_id)
        return msgspec.structs.replace(member, update_id=update_id)

    def _play(self, station: Station, update_id: UUID) -> None:
        habit = station.habit
        if habit == "silent":
            return
        if habit == "rejects":
            self.at(1, "answers", update_id, "Rejected")
            return
        self.at(1, "answers", update_id, "Accepted")
        station.at_work = True
        at_s = 0.0
        for status in WORK:
            at_s += self.random.uniform(20, 120)
            if (failure := FAILURES.get(habit)) and status == {
                "no_download": "Downloaded",
                "no_signature": "Installing",
                "no_install": "Installed",
            }[habit]:
                self.at(at_s, "fails", update_id, failure)
                return
            if habit == "once_no_download" and self.members[station.station_id].attempts < 1 and status == "Downloaded":
                self.at(at_s, "fails", update_id, "DownloadFailed")
                return
            self.at(at_s, "says", update_id, status)
        version = OLD if habit == "wrong_version" else NEW
        self.at(at_s + self.random.uniform(5, 60), "boots", update_id, version)

    def _answers(self, update_id: UUID, status: str) -> None:
        self._know(update_id, telling.answered(self.updates[update_id], status, self.now))

    def _says(self, update_id: UUID, status: str) -> None:
        self._know(update_id, telling.told(self.updates[update_id], status, self.now))

    def _fails(self, update_id: UUID, status: str) -> None:
        self.stations[self.updates[update_id].station_id].at_work = False
        self._says(update_id, status)

    def _boots(self, update_id: UUID, version: str) -> None:
        update = self.updates[update_id]
        station = self.stations[update.station_id]
        station.at_work, station.firmware_version = False, version
        station.installed_times += 1
        station.faulted = station.habit == "faults"
        station.online = station.habit != "vanishes"
        if station.habit != "idles_after":
            self.at(self.random.uniform(900, 20000), "plug", station.station_id)
        self._know(update_id, telling.booted(update, version, self.now, by_itself=True))
        self._mark(station.station_id)

    def _time(self, update_id: UUID) -> None:
        update = self.updates[update_id]
        if update.is_open:
            self._know(update_id, timing.after(update, self.now, PATIENCE))
            if self.updates[update_id].is_open:
                self.at(600, "time", update_id)

    def _know(self, update_id: UUID, update: Update) -> None:
        """Keep an update; its end marks the campaign."""
        before = self.updates[update_id]
        self.updates[update_id] = update
        if before.is_open and not update.is_open:
            del self.open_of[update.station_id]
            self.due_at = self.now
        self._note_ended(self.members[update.station_id])

    def _plug(self, station_id: str) -> None:
        station = self.stations[station_id]
        if station.at_work or station_id in self.open_of or not station.online:
            return
        station.open_sessions = 1
        self.at(self.random.uniform(600, 7200), "unplug", station_id)

    def _unplug(self, station_id: str) -> None:
        station = self.stations[station_id]
        station.open_sessions, station.last_ended_at = 0, self.now
        self._mark(station_id)
        if station.habit == "busy" and not station.installed_times:
            self.at(self.random.uniform(60, 3600), "plug", station_id)

    def _comes_back(self, station_id: str) -> None:
        self.stations[station_id].online = True
        self._mark(station_id)

    def resume(self) -> None:
        """Let an operator go on with it."""
        self.campaign = resumed(self.campaign, tally_of(self.campaign, self.counts), self.now)
        self.due_at = self.now

    def outcome(self) -> dict[str, tuple[str, str, int]]:
        """Return how each station has ended."""
        return {name: (each.state, each.reason, each.attempts) for name, each in self.members.items()}


def _is_news(member: Member, update: Update) -> bool:
    """Tell what the database is asked: whether an update has ended, or succeeded though it was given up."""
    if member.state == "updating":
        return not update.is_open
    return update.verdict == "succeeded" and member.reason not in ILLNESSES


HABITS = {
    "good": 870,
    "busy": 60,
    "offline_first": 10,
    "idles_after": 8,
    "once_no_download": 10,
    "no_download": 5,
    "no_signature": 3,
    "no_install": 5,
    "wrong_version": 5,
    "rejects": 5,
    "silent": 5,
    "faults": 4,
    "vanishes": 4,
    "gone": 6,
}
ENDS = {
    "good": {"succeeded"},
    "busy": {"succeeded"},
    "offline_first": {"succeeded"},
    "once_no_download": {"succeeded"},
    "idles_after": {"not_charging", "succeeded"},
    "no_download": {"download_failed"},
    "no_signature": {"invalid_signature"},
    "no_install": {"installation_failed"},
    "wrong_version": {"wrong_version"},
    "rejects": {"rejected"},
    "silent": {"silent"},
    "faults": {"faulted"},
    "vanishes": {"not_back"},
    "gone": {"offline"},
}


def fleet(size: int, seed: int = 7, habits: dict[str, int] = HABITS) -> dict[str, Station]:
    """Return stations at sites of four, with habits in these shares."""
    chosen = random.Random(seed).choices(list(habits), list(habits.values()), k=size)
    stations = {}
    for number, habit in enumerate(chosen):
        name = f"CS-{number:05}"
        stations[name] = Station(name, f"site-{number // 4}", habit, online=habit not in ("offline_first", "gone"))
        if habit == "idles_after" and number % 2:
            stations[name].last_ended_at = START - timedelta(hours=2)
    return stations


def rolled_out(size: int, rules: Rules, restart_every: int = 0, habits: dict[str, int] = HABITS) -> Rollout:
    """Return a roll-out after all is through."""
    world = Rollout(rules, fleet(size, habits=habits))
    for station in world.stations.values():
        if station.habit == "offline_first":
            world.at(world.random.uniform(3600, 4 * 86400), "comes_back", station.station_id)
    world.run(START + timedelta(days=60), restart_every)
    return world


RULES = Rules(parallel=300, fail_share=0.3, wait_s=6 * 86400.0)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_10_000_stations_are_rolled_out_in_waves_within_all_bounds():
    world = rolled_out(10_000, RULES)

    assert world.campaign.state == "completed"
    assert world.campaign.sizes == (1, 100, 1000, 8899)
    ends = {name: member.reason or member.state for name, member in world.members.items()}
    wrong = {(world.stations[name].habit, end) for name, end in ends.items()} - {
        (habit, end) for habit, meant in ENDS.items() for end in meant
    }
    assert wrong == set()
    assert world.most_at_once <= RULES.parallel
    assert world.most_at_once >= RULES.parallel - 20  # the bound is used, too
    assert world.most_at_place == 1
    assert all(station.installed_times <= 1 for station in world.stations.values())
    assert world.open_of == {}
    waves = [wave for _, _, wave in world.begun]
    assert waves == sorted(waves)
    tries = Counter(name for _, name, _ in world.begun)
    assert max(tries.values()) == RULES.attempts
    assert {member.state for member in world.members.values()} == {"succeeded", "failed", "skipped"}


@pytest.mark.parametrize("restart_every", [1, 7])
def test_a_service_that_dies_at_any_point_goes_on_as_if_it_had_not(restart_every):
    size = 40 * restart_every
    unbroken = rolled_out(size, RULES)
    broken = rolled_out(size, RULES, restart_every)

    assert broken.outcome() == unbroken.outcome()
    assert broken.begun == unbroken.begun


def test_a_wave_begins_after_the_one_before_is_through_and_its_pause_over():
    world = rolled_out(400, RULES)

    for wave in range(1, len(world.campaign.sizes)):
        first = min(at for at, _, of in world.begun if of == wave)
        through = max(
            member.path[-1].at
            for member in world.members.values()
            if member.wave == wave - 1 and member.state in ("succeeded", "failed", "skipped")
        )
        assert first >= through + timedelta(seconds=RULES.pause_s)


@pytest.mark.parametrize("habit", ["wrong_version", "no_install", "faults", "vanishes"])
def test_a_bad_image_stops_at_the_first_station(habit):
    world = rolled_out(400, Rules(), habits={habit: 1})

    assert (world.campaign.state, world.campaign.reason) == ("stopped", "too_many_failures")
    assert len({name for _, name, _ in world.begun}) == 1


def test_an_image_that_is_bad_for_some_stops_within_a_wave_and_an_operator_may_go_on():
    rules = Rules(waves=(Share(count=100),), fail_share=0.2, fail_count=5, parallel=10)
    world = rolled_out(400, rules, habits={"good": 1, "no_install": 1})

    assert world.campaign.state == "stopped"
    failed = sum(member.state == "failed" for member in world.members.values())
    assert 5 <= failed <= 5 + rules.parallel
    assert len(world.begun) < 60
    assert world.open_of == {}
    before = len(world.begun)
    world.resume()
    world.run(START + timedelta(days=60))
    assert len(world.begun) > before


def test_stations_that_are_away_do_not_hold_up_a_wave_that_others_may_be_in():
    world = Rollout(Rules(waves=(Share(count=3),)), fleet(40, habits={"good": 1}))
    first = [member.station_id for member in world.members.values() if member.wave == 0]
    for name in first:
        world.stations[name].online = False
    world.run(START + timedelta(days=1))

    assert world.campaign.wave == 1
    assert {world.members[name].wave for name in first} == {1}
    assert "exchanged" in {step.reason for step in world.members[first[0]].path}
    assert sum(member.wave == 0 and member.state == "succeeded" for member in world.members.values()) == 3


def test_what_was_wrong_is_told_by_each_stations_path():
    world = rolled_out(40, Rules(fail_share=1.0), habits={"once_no_download": 1})

    path = next(iter(world.members.values())).path
    assert [step.state for step in path] == ["waiting", "updating", "waiting", "updating", "checking", "succeeded"]
    assert [step.reason for step in path][2] == "download_failed"
    assert [step.at for step in path] == sorted(step.at for step in path)
    assert {station.firmware_version for station in world.stations.values()} == {NEW} != {OLD}
