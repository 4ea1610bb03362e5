"""What is wanted of stations: which configuration counts, how a station stands, and how it is brought there."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from chargebus_device.configurations.domain.compared import (
    Entry,
    Facts,
    Proof,
    Trial,
    answered,
    compare,
    may_break,
    missed,
    owes_proof,
    pause,
    to_read,
)
from chargebus_device.configurations.domain.configuration import (
    Configuration,
    Selector,
    Setting,
    Station,
    Wanted,
    replaced,
    wanted,
)
from chargebus_device.variables.domain.addresses import Address
from chargebus_device.variables.domain.place import Place
from chargebus_device.variables.domain.variable import Variable

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
EVER = datetime(1970, 1, 1, tzinfo=UTC)
HEARTBEAT, PING = Place(variable="HeartbeatInterval"), Place(variable="WebSocketPingInterval")
PROOF = Proof(timedelta(minutes=1), timedelta(minutes=10))


def configuration(number=1, name="HeartbeatInterval", value="60", **more):
    settings = (Setting(Address(name), value),)
    values = {"configuration_id": UUID(int=number), "name": "it", "settings": settings}
    return Configuration(**(values | {"created_at": NOW, "updated_at": NOW} | more))


def variable(value, place=HEARTBEAT, **more):
    return Variable(place=place, value=value, **({"read_at": NOW, "read_by": "GetConfiguration"} | more))


def entry(**more):
    values = {"station_id": "CS-1", "key": HEARTBEAT.key, "configuration_id": UUID(int=1), "revision": 1}
    return Entry(**(values | {"name": "HeartbeatInterval", "wanted": "60"} | more))


def stands(known, before=None, *, place=HEARTBEAT, name="HeartbeatInterval", at=NOW, **more):
    given = more.pop("given", None) or configuration(name=name)
    facts = {"place": place, "known": known, "before": before, "read_after": EVER, "is_read": True, "proof": PROOF}
    return compare("CS-1", Wanted(given.settings[0], given), Facts(**(facts | more)), at)


# Which counts


def test_the_highest_priority_counts_then_the_narrowest_then_the_oldest():
    station = Station("CS-1", "Acme", "One", "1.0", {"site": "harbour"})
    everybody = configuration(1, value="1")
    site = configuration(2, value="2", stations=Selector(labels={"site": "harbour"}))
    firmware = configuration(3, value="3", stations=Selector(vendor="Acme", firmware_version="1.0"))
    named = configuration(4, value="4", stations=Selector(station_ids=("CS-1",)))
    high = configuration(5, value="5", priority=1)
    later = configuration(6, value="6", created_at=NOW + timedelta(days=1))
    other = configuration(7, value="7", priority=9, stations=Selector(model="Two"))

    def counts(*given):
        [found] = wanted(given, station).values()
        return found.setting.value

    assert counts(everybody, later, other) == "1"
    assert counts(everybody, site) == "2"
    assert counts(site, firmware, everybody) == "3"
    assert counts(named, firmware) == "4"
    assert counts(named, high) == "5"


def test_one_variable_counts_once_however_it_is_named():
    by_key = configuration(1, value="1")
    by_place = configuration(2, value="2", priority=1)
    place = Place("OCPPCommCtrlr", variable="heartbeatinterval")
    by_place = msgspec.structs.replace(by_place, settings=(Setting(Address(place=place), "2"),))
    found = wanted([by_key, by_place], Station("CS-1"))
    assert [each.setting.value for each in found.values()] == ["2"]


# How it stands


@pytest.mark.parametrize(
    ("known", "verdict"),
    [
        (variable("60"), "as_wanted"),
        (variable("60.0"), "as_wanted"),
        (variable("300"), "differs"),
        (variable("300", mutability="ReadOnly"), "impossible"),
        (variable("60", mutability="ReadOnly"), "as_wanted"),
        (variable("300", max_limit=30, data_type="integer"), "impossible"),
        (variable(None, is_known=False), "impossible"),
        (variable("300", pending_value="60", pending_since=NOW), "reboot_required"),
        (variable("300", pending_value="90", pending_since=NOW), "differs"),
        (None, "impossible"),
    ],
)
def test_a_variable_stands_by_what_the_station_told(known, verdict):
    assert stands(known).verdict == verdict


def test_what_was_told_before_a_boot_is_read_again():
    assert stands(variable("60"), read_after=NOW + timedelta(seconds=1)).verdict == "unread"
    assert stands(None, is_read=False).verdict == "unread"


def test_a_refusal_is_left_alone_for_a_while_and_forgotten_with_another_value():
    refused = answered(entry(has="300"), "Rejected", "why", PROOF, NOW)
    assert (refused.verdict, refused.told, refused.retry_at) == ("refused", "Rejected: why", NOW + pause(1))
    assert stands(variable("300"), refused).verdict == "refused"
    assert stands(variable("300"), refused, at=NOW + pause(1)).verdict == "differs"
    assert stands(variable("300"), msgspec.structs.replace(refused, wanted="90")).verdict == "differs"
    assert [pause(1), pause(2), pause(50)] == [timedelta(minutes=10), timedelta(minutes=20), timedelta(days=1)]


def test_what_nobody_knows_of_is_read_and_not_sent_again():
    unknown = answered(entry(), "Unknown", "", PROOF, NOW)
    assert (unknown.verdict, unknown.retry_at) == ("unread", NOW + pause(1))
    assert stands(variable("300"), unknown).verdict == "refused"
    assert stands(variable("60"), unknown).verdict == "as_wanted"
    assert answered(entry(), "Unreachable", "", PROOF, NOW).tries == 0


def test_a_change_that_can_break_connections_counts_once_its_station_tells_it_again():
    taken = answered(entry(breaks=True, key=PING.key), "Accepted", "", PROOF, NOW)
    assert (taken.verdict, taken.retry_at, taken.lost_at) == ("proving", NOW + PROOF.after, NOW + PROOF.within)
    more = {"place": PING, "name": "WebSocketPingInterval"}
    told_to_it = variable("60", PING, read_by="ChangeConfiguration")
    assert stands(told_to_it, taken, **more).verdict == "proving"
    assert to_read([stands(told_to_it, taken, **more)], NOW) == []
    assert len(to_read([stands(told_to_it, taken, **more)], NOW + PROOF.after)) == 1
    later = NOW + PROOF.after
    too_early = stands(variable("60", PING, read_at=NOW + timedelta(seconds=1)), taken, at=later, **more)
    assert too_early.verdict == "proving"
    proved = stands(variable("60", PING, read_at=later), taken, at=later, **more)
    assert (proved.verdict, proved.proved_at) == ("as_wanted", later)


PINGING = {"place": PING, "name": "WebSocketPingInterval"}
LATER = NOW + PROOF.after


def test_a_boot_after_a_change_that_can_break_connections_proves_nothing_and_its_trial_goes_on():
    taken = answered(entry(breaks=True, key=PING.key), "Accepted", "", PROOF, NOW)
    booted_at = NOW + timedelta(seconds=55)
    at = booted_at + timedelta(seconds=15)
    gone = stands(variable("60", PING), taken, read_after=booted_at, at=at, **PINGING)
    assert (gone.verdict, gone.lost_at, gone.proved_at) == ("proving", taken.lost_at, None)
    assert gone.retry_at == booted_at + PROOF.after
    at_once = stands(variable("60", PING, read_at=at), gone, read_after=booted_at, at=at, **PINGING)
    assert (at_once.verdict, at_once.lost_at) == ("proving", taken.lost_at)


def test_what_needed_a_boot_has_its_whole_time_after_it():
    taken = answered(entry(breaks=True, key=PING.key), "RebootRequired", "", PROOF, NOW)
    pending = stands(variable("20", PING, pending_value="60", pending_since=NOW), taken, **PINGING)
    assert (pending.verdict, pending.retry_at, pending.lost_at) == ("reboot_required", None, taken.lost_at)
    booted_at = NOW + timedelta(days=1)
    booted = stands(variable("20", PING), pending, read_after=booted_at, at=booted_at, **PINGING)
    assert (booted.verdict, booted.retry_at) == ("proving", booted_at + PROOF.after)
    assert booted.lost_at == booted_at + PROOF.within


@pytest.mark.parametrize("status", ["Accepted", "Unknown"])
def test_a_station_that_went_back_to_what_it_had_is_not_set_again_but_lost(status):
    taken = answered(entry(breaks=True, key=PING.key), status, "", PROOF, NOW)
    early = stands(variable("20", PING, read_at=NOW + timedelta(seconds=1)), taken, **PINGING)
    assert (early.verdict, early.lost_at) == ("proving", taken.lost_at)
    other = stands(variable("20", PING, read_at=LATER), early, at=LATER, **PINGING)
    assert (other.verdict, other.tries, other.retry_at) == ("proving", 1, LATER + PROOF.after)
    end = NOW + PROOF.within
    lost = stands(variable("20", PING, read_at=end), other, at=end, **PINGING)
    assert (lost.verdict, lost.retry_at) == ("lost", end + pause(2))
    later = end + timedelta(seconds=1)
    released = configuration(name="WebSocketPingInterval", released_at=later)
    assert stands(variable("20", PING, read_at=end), lost, at=later, **PINGING).verdict == "lost"
    assert stands(variable("20", PING, read_at=end), lost, at=later, given=released, place=PING).verdict == "differs"


def test_only_who_was_asked_for_the_proof_in_vain_is_lost():
    taken = answered(entry(breaks=True, key=PING.key), "Accepted", "", PROOF, NOW)
    long_after = NOW + 9 * PROOF.within
    unasked = stands(variable("60", PING), taken, at=long_after, **PINGING)
    assert (unasked.verdict, to_read([unasked], long_after)) == ("proving", [unasked])
    assert owes_proof(taken, LATER)
    assert not owes_proof(taken, NOW)
    assert missed(taken, "", PROOF, LATER).verdict == "proving"
    lost = missed(taken, "away", PROOF, NOW + PROOF.within)
    assert (lost.verdict, lost.detail) == ("lost", "away")


def test_a_proof_counts_for_the_trial_that_it_was_given_in():
    proved = entry(breaks=True, key=PING.key, proved_at=NOW)
    same_trial = configuration(name="WebSocketPingInterval", revision=2)
    assert stands(variable("60", PING), proved, given=same_trial, place=PING).proved_at == NOW
    another = msgspec.structs.replace(same_trial, trial=2)
    assert stands(variable("60", PING), proved, given=another, place=PING).proved_at is None


def test_what_is_impossible_is_not_tried_again():
    refused = answered(entry(has="300"), "Rejected", "", PROOF, NOW)
    assert stands(variable("300", mutability="ReadOnly"), refused).retry_at is None
    assert stands(None, refused, place=None).retry_at is None


def test_a_configuration_that_is_held_stays_so_unless_what_can_break_connections_is_another():
    held = configuration(name="WebSocketPingInterval", state="held", released_at=NOW, revision=4, trial=2)
    renamed = replaced(held, configuration(name="WebSocketPingInterval"), NOW)
    assert (renamed.revision, renamed.trial, renamed.state, renamed.released_at) == (5, 2, "held", NOW)
    other = replaced(held, configuration(name="WebSocketPingInterval", value="90"), NOW)
    assert (other.revision, other.trial, other.state, other.released_at) == (5, 5, "active", None)


def test_a_few_go_first_and_the_others_once_those_are_back():
    assert may_break(Trial(), 2, held=False)
    assert may_break(Trial(begun=1), 2, held=False)
    assert not may_break(Trial(begun=2), 2, held=False)
    assert not may_break(Trial(begun=1, proved=1), 2, held=False)
    assert may_break(Trial(begun=9, proved=2), 2, held=False)
    assert not may_break(Trial(proved=9, lost=1), 2, held=False)
    assert not may_break(Trial(proved=9), 2, held=True)


# In the service


async def want(api, **variables):
    more = variables.pop("more", {})
    given = [{"name": name, "value": value} for name, value in variables.items()]
    answer = await api.post("/configurations", json={"name": "it", "variables": given, **more})
    assert answer.status_code == 201, answer.text
    return f"/configurations/{answer.json()['configuration_id']}"


async def test_what_differs_is_changed_and_what_does_not_stay_so_is_changed_again(device, api, stations):
    await stations.connect("CS-1", "CS-2")
    path = await want(api, HeartbeatInterval="60", AcmeNothing="1")
    await stations.go_on()

    assert {keys["HeartbeatInterval"] for keys in stations.keys.values()} == {"60"}
    shown = (await api.get(path)).json()
    assert shown["sum"] == {"stations": 2, "drifted": 2, "verdicts": {"as_wanted": 2, "impossible": 2}}
    stations.keys["CS-1"]["HeartbeatInterval"] = "300"
    await stations.boot("CS-1")
    await stations.go_on()
    assert stations.keys["CS-1"]["HeartbeatInterval"] == "60"
    changes = [station_id for station_id, action, _ in stations.asked if action == "ChangeConfiguration"]
    assert sorted(changes) == ["CS-1", "CS-1", "CS-2"]


async def test_a_refusal_is_shown_per_station_and_in_sum(device, api, stations):
    await stations.connect("CS-1")
    path = await want(api, HeartbeatInterval="60")
    await stations.go_on(rejects=("HeartbeatInterval",))

    assert (await api.get(path)).json()["sum"]["verdicts"] == {"refused": 1}
    [item] = (await api.get("/stations/CS-1/configuration")).json()["items"]
    assert (item["verdict"], item["has"], item["told"], item["tries"]) == ("refused", "300", "Rejected", 1)
    listed = (await api.get(f"{path}/stations", params={"verdict": "refused"})).json()["items"]
    assert [each["station_id"] for each in listed] == ["CS-1"]


async def test_what_can_break_connections_goes_to_a_few_first_and_on_once_they_are_back(device, api, stations):
    await stations.connect("CS-1", "CS-2", "CS-3")
    await want(api, WebSocketPingInterval="60", more={"first": 1})
    await stations.go_on()
    assert sorted(keys["WebSocketPingInterval"] for keys in stations.keys.values()) == ["20", "20", "60"]
    device.time.pass_s(60)
    await stations.go_on()
    await stations.go_on()
    assert {keys["WebSocketPingInterval"] for keys in stations.keys.values()} == {"60"}


async def test_a_station_that_does_not_come_back_holds_up_all_others_until_it_is_released(device, api, stations):
    await stations.connect("CS-1", "CS-2")
    path = await want(api, WebSocketPingInterval="60", more={"first": 1})
    await stations.go_on()
    [first] = [station_id for station_id, keys in stations.keys.items() if keys["WebSocketPingInterval"] == "60"]
    await device.apply(device.presence(950, station_id=first, connected=False, epoch=100 + int(first[3:])))
    device.time.pass_s(1000)
    await device.asked.following.notice()
    assert (await api.get(path)).json()["state"] == "active"  # nobody has asked it yet
    await stations.go_on(rounds=12, silent=(first,))
    held = (await api.get(path)).json()
    assert (held["state"], held["sum"]["verdicts"]) == ("held", {"lost": 1, "waiting": 1})
    assert (await api.post(f"{path}/release")).json()["state"] == "active"
    await stations.go_on(silent=(first,))
    assert {keys["WebSocketPingInterval"] for keys in stations.keys.values()} == {"60"}


async def test_a_copy_that_has_just_started_goes_on_with_what_another_began(device, api, stations):
    await stations.connect("CS-1", "CS-2", "CS-3")
    path = await want(api, HeartbeatInterval="60", WebSocketPingInterval="60", more={"first": 1})
    for _ in range(15):
        device.time.pass_s(10)
        await stations.go_on(rounds=1)
        device.again()
    assert (await api.get(path)).json()["sum"]["verdicts"] == {"as_wanted": 6}
    changes = [(station_id, payload["key"]) for station_id, action, payload in stations.asked if "value" in payload]
    assert len(changes) == len(set(changes)) == 6


async def test_no_more_stations_are_asked_at_once_than_the_pace_allows(device, stations, api):
    await stations.connect(*(f"CS-{number}" for number in range(55)))
    await want(api, HeartbeatInterval="60")
    asked = []
    for _ in range(4):
        await device.asked.following.look()
        asked.append(len(await stations.answer(silent=stations.keys)))
    assert asked == [20, 20, 10, 0]


async def test_a_dry_run_tells_what_would_change_and_changes_nothing(device, api, stations):
    await stations.connect("CS-1")
    path = await want(api, HeartbeatInterval="60", more={"priority": 5})
    await stations.go_on()
    wanted_too = [{"name": "HeartbeatInterval", "value": "30"}, {"name": "WebSocketPingInterval", "value": "30"}]
    tried = await api.post("/configuration-dry-run", json={"name": "more", "variables": wanted_too})

    [run] = tried.json()["items"]
    assert run["overruled"] == {"HeartbeatInterval": path.rpartition("/")[2]}
    assert [(each["name"], each["verdict"]) for each in run["variables"]] == [("WebSocketPingInterval", "differs")]
    [again] = (await api.post(f"{path}/dry-run")).json()["items"]
    assert [(each["has"], each["verdict"]) for each in again["variables"]] == [("60", "as_wanted")]
    assert (await api.get("/configurations")).json()["next"] is None
    assert len((await api.get("/configurations")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "AuthorizationKey", "value": "0123456789abcdef"}, "body.variables.0"),
        ({"name": "HeartbeatInterval", "value": "soon"}, "body.variables.0.value"),
    ],
)
async def test_what_cannot_be_wanted_is_refused(api, given, field):
    answer = await api.post("/configurations", json={"name": "it", "variables": [given]})
    assert (answer.status_code, [each["field"] for each in answer.json()["errors"]]) == (422, [field])


async def test_a_configuration_is_changed_and_dropped(device, api, stations):
    await stations.connect("CS-1")
    path = await want(api, HeartbeatInterval="60")
    await stations.go_on()
    given = {"name": "it", "variables": [{"name": "HeartbeatInterval", "value": "90"}]}
    assert (await api.put(path, json=given)).json()["revision"] == 2
    await stations.go_on()
    assert stations.keys["CS-1"]["HeartbeatInterval"] == "90"
    assert (await api.delete(path)).status_code == 204
    await stations.go_on()
    assert (await api.get("/stations/CS-1/configuration")).json()["items"] == []
    assert (await api.get(path)).status_code == 404
