"""What stations ask is asked of responders: each once, and nobody takes all the room."""

import asyncio
from datetime import UTC, datetime, timedelta

from chargebus_outbound.client import OutboundError, Reply
from chargebus_security.inventory.domain.hashes import hash_data
from chargebus_security.metrics import Metrics
from chargebus_security.status.domain.asked import Question
from chargebus_security.status.operations import lookups
from chargebus_security.status.operations.lookups import AGAIN, Lookups
from chargebus_testkit.pki import Authority

ROOT = Authority.root("a root")
NAMED = [hash_data(ROOT.leaf(f"leaf {number}").certificate, ROOT.certificate) for number in range(24)]


class Responders:
    """Whoever is asked: nobody answers before `go`; then lists are sent, and nothing else."""

    def __init__(self):
        self.asked = []
        self.go = asyncio.Event()

    async def post(self, url, _headers, _body, _most):
        self.asked.append(url)
        await self.go.wait()
        raise OutboundError("nobody is there")

    async def get(self, url, _headers):
        self.asked.append(url)
        await self.go.wait()
        return Reply(200, {}, ROOT.crl())


class Bench:
    def __init__(self, at_once=64, **more):
        self.now = datetime.now(UTC)
        self.responders = Responders()

        self.kept = {}

        async def issuers(_named):
            return [ROOT.certificate]

        self.lookups = Lookups(
            self.responders,
            issuers,
            self.keep,
            Metrics(),
            lambda: self.now,
            keep=timedelta(hours=1),
            at_once=at_once,
            **more,
        )

    async def keep(self, question, found):
        await asyncio.sleep(0)
        self.kept[question.urls[0]] = found.status

    async def ask(self, station_id, number, url, source="OCSP"):
        return await self.lookups.find(Question(NAMED[number], source, (url,)), station_id)

    async def until_nothing_moves(self):
        for _ in range(20):
            await asyncio.sleep(0)


async def test_a_station_takes_no_more_than_its_share_and_neither_does_a_host():
    bench = Bench(at_once=16)
    asking = [asyncio.create_task(bench.ask("CS-1", n, f"http://responder{n}.example/")) for n in range(12)]
    await bench.until_nothing_moves()
    assert len(bench.responders.asked) == 4
    asking += [asyncio.create_task(bench.ask(f"CS-{n}", n, f"http://Slow.example/{n}?x")) for n in range(12, 20)]
    await bench.until_nothing_moves()
    assert sum("low.example" in url for url in bench.responders.asked) == 4
    asking.append(asyncio.create_task(bench.ask("CS-9", 20, "http://other.example/")))
    await bench.until_nothing_moves()
    assert "http://other.example/" in bench.responders.asked
    bench.responders.go.set()
    assert {each.status for each in await asyncio.gather(*asking)} == {"Failed"}
    assert len(bench.responders.asked) == 21


async def test_what_failed_is_asked_again_after_a_minute_and_not_before():
    bench = Bench()
    bench.responders.go.set()
    first = await bench.ask("CS-1", 0, "http://away.example/")
    assert await bench.ask("CS-2", 0, "http://away.example/") == first
    assert len(bench.responders.asked) == 1
    bench.now += AGAIN
    await bench.ask("CS-1", 0, "http://away.example/")
    assert len(bench.responders.asked) == 2


async def test_a_list_is_fetched_once_whoever_asks_about_whichever_of_its_certificates():
    bench = Bench()
    url = "http://lists.example/root.crl"
    asking = [asyncio.create_task(bench.ask(f"CS-{n}", n, url, "CRL")) for n in range(8)]
    await bench.until_nothing_moves()
    bench.responders.go.set()
    assert {each.status for each in await asyncio.gather(*asking)} == {"Good"}
    assert bench.responders.asked == [url]


async def test_a_question_is_given_up_before_another_copy_takes_the_call():
    bench = Bench(deadline_s=0.05)
    found = await bench.ask("CS-1", 0, "http://slow.example/")
    assert (found.status, found.why) == ("Failed", "nothing was found within 0.05 s")


async def test_few_lists_are_fetched_at_once_and_together_they_have_a_size(monkeypatch):
    bench = Bench()
    asking = [asyncio.create_task(bench.ask(f"CS-{n}", n, f"http://{n}.example/a.crl", "CRL")) for n in range(8)]
    await bench.until_nothing_moves()
    assert len(bench.responders.asked) == 4
    bench.responders.go.set()
    assert {each.status for each in await asyncio.gather(*asking)} == {"Good"}

    size = len(ROOT.crl())
    monkeypatch.setattr(lookups, "_BYTES_KEPT", 2 * size + size // 2)
    for number in (8, 9, 10, 9, 10, 8):
        await bench.ask("CS-1", number, f"http://{number}.example/a.crl", "CRL")
    last = [url.split("/")[2] for url in bench.responders.asked[8:]]
    assert last == [f"{number}.example" for number in (8, 9, 10, 8)]


async def test_what_failed_as_its_issuer_was_not_known_is_asked_again_by_who_knows_it():
    bench = Bench()
    bench.responders.go.set()
    question = Question(NAMED[0], "CRL", ("http://lists.example/root.crl",))

    async def nobody(_named):
        return []

    unknowing = Lookups(
        bench.responders, nobody, bench.keep, Metrics(), lambda: bench.now, keep=timedelta(hours=1), at_once=4
    )
    before = await unknowing.find(question, "CS-1")
    after = await unknowing.find(question, "CS-1", [ROOT.certificate])
    assert (before.status, after.status) == ("Failed", "Good")


async def test_a_question_for_which_nobody_waits_is_dropped_unless_it_is_being_asked():
    bench = Bench(at_once=4)
    asking = [asyncio.create_task(bench.ask(f"CS-{n}", n, "http://slow.example/")) for n in range(8)]
    await bench.until_nothing_moves()
    assert len(bench.responders.asked) == 1  # a host has a quarter of four
    for each in asking:
        each.cancel()
    await bench.until_nothing_moves()
    assert len(bench.lookups._under_way) == 1
    bench.responders.go.set()
    await bench.until_nothing_moves()
    assert (len(bench.lookups._under_way), len(bench.responders.asked)) == (0, 1)


async def test_what_is_said_after_all_have_gone_is_kept():
    bench = Bench()
    url = "http://slow.example/root.crl"
    asking = asyncio.create_task(bench.ask("CS-1", 0, url, "CRL"))
    await bench.until_nothing_moves()
    asking.cancel()
    await bench.until_nothing_moves()
    bench.responders.go.set()
    [lookup] = bench.lookups._under_way.values()
    await lookup.task
    assert bench.kept == {url: "Good"}


async def test_a_station_whose_questions_are_given_up_keeps_no_others_room_and_has_no_more_than_its_own():
    bench = Bench()
    for turn in range(5):
        asking = [asyncio.create_task(bench.ask("CS-1", 4 * turn + n, f"http://{turn}-{n}.example/")) for n in range(4)]
        await bench.until_nothing_moves()
        for each in asking:
            each.cancel()
        await bench.until_nothing_moves()
    assert len(bench.lookups._under_way) == len(bench.responders.asked) == 4


async def test_what_two_stations_ask_is_asked_in_the_place_of_the_one_that_has_one():
    bench = Bench()
    busy = [asyncio.create_task(bench.ask("CS-1", n, f"http://{n}.example/")) for n in range(4)]
    await bench.until_nothing_moves()
    both = [asyncio.create_task(bench.ask(station_id, 9, "http://both.example/")) for station_id in ("CS-1", "CS-2")]
    await bench.until_nothing_moves()
    assert bench.responders.asked[4:] == ["http://both.example/"]
    bench.responders.go.set()
    assert {each.status for each in await asyncio.gather(*busy, *both)} == {"Failed"}
    assert len(bench.responders.asked) == 5


async def test_a_question_waits_for_others_of_its_station_not_for_ever(monkeypatch):
    monkeypatch.setattr(lookups, "_PLACE_S", 0.05)
    bench = Bench()
    busy = [asyncio.create_task(bench.ask("CS-1", n, f"http://{n}.example/")) for n in range(4)]
    await bench.until_nothing_moves()
    assert "other questions of the station" in (await bench.ask("CS-1", 9, "http://one.example/")).why
    bench.responders.go.set()
    await asyncio.gather(*busy)
