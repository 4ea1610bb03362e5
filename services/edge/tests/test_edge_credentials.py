"""Passwords of stations: cheap where they can be, bounded where they cannot."""

import asyncio
import threading

import pytest
from chargebus_edge.door import credentials as module
from chargebus_edge.door.credentials import Checked, Credentials, SlowCheckLimits, Verdict
from chargebus_runtime.secrets import generate_password, hash_chosen, hash_generated

CHOSEN = hash_chosen("correct horse")


class Hashes:
    """Counts slow checks, and can hold them up."""

    def __init__(self):
        self.checks = 0
        self.go = threading.Event()
        self.go.set()

    def verify(self, secret, stored):
        self.checks += 1
        self.go.wait(5)
        return secret == b"right"


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def make(clock):
    made = []

    def make_credentials(**limits):
        made.append(Credentials(lambda: clock[0], SlowCheckLimits(**limits), sleep))
        return made[-1]

    async def sleep(seconds):
        clock[0] += seconds

    yield make_credentials
    for credentials in made:
        credentials.close()


@pytest.fixture
def hashes(monkeypatch):
    hashes = Hashes()
    monkeypatch.setattr(module, "verify", hashes.verify)
    return hashes


async def check(credentials, secret, station_id="CP1", stored=CHOSEN):
    stored = [stored] if isinstance(stored, str) else stored
    checked = credentials.check_now(station_id, secret, stored)
    return (checked or await credentials.check_slowly(station_id, secret, stored)).verdict


def test_a_generated_password_is_checked_at_once(make):
    password = generate_password()
    stored = hash_generated(password)
    credentials = make()
    assert credentials.check_now("CP1", password.encode(), [stored]) == Checked(Verdict.RIGHT, stored)
    assert credentials.check_now("CP1", bytes.fromhex(password), [stored]) == Checked(Verdict.RIGHT, stored)
    assert credentials.check_now("CP1", b"wrong", [stored]).verdict is Verdict.WRONG


async def test_of_several_passwords_it_is_told_which_was_used(make):
    generated, chosen = hash_generated("generated"), hash_chosen("another horse")
    stored, credentials = [generated, CHOSEN, chosen], make()
    assert credentials.check_now("CP1", b"generated", stored) == Checked(Verdict.RIGHT, generated)
    assert await credentials.check_slowly("CP1", b"another horse", stored) == Checked(Verdict.RIGHT, chosen)
    assert await credentials.check_slowly("CP1", b"correct horse", stored) == Checked(Verdict.RIGHT, CHOSEN)
    assert credentials.check_now("CP1", b"another horse", stored) == Checked(Verdict.RIGHT, chosen)
    assert await check(credentials, b"none of them", stored=stored) is Verdict.WRONG


@pytest.mark.parametrize("stored", ["", "plain", "md5$x$y", "sha256$", "scrypt$$"])
async def test_an_unusable_stored_form_matches_nothing(make, stored):
    for secret in (b"", b"plain", b"x"):
        assert await check(make(), secret, stored=stored) is not Verdict.RIGHT


async def test_a_chosen_password_is_checked_for_real(make):
    credentials = make()
    assert await check(credentials, b"correct horse") is Verdict.RIGHT
    assert await check(credentials, b"wrong") is Verdict.WRONG


async def test_a_chosen_password_is_checked_slowly_once_and_remembered(make, hashes):
    credentials = make()
    assert [await check(credentials, b"right") for _ in range(3)] == [Verdict.RIGHT] * 3
    assert hashes.checks == 1


async def test_what_is_remembered_is_for_one_station_one_stored_form_and_one_password(make, hashes):
    credentials = make()
    await check(credentials, b"right")
    assert credentials.check_now("CP2", b"right", [CHOSEN]) is None
    assert credentials.check_now("CP1", b"right", [hash_chosen("another")]) is None
    assert credentials.check_now("CP1", b"other", [CHOSEN]) is None


async def test_the_same_wrong_password_again_costs_nothing(make, hashes):
    credentials = make()
    assert [await check(credentials, b"wrong") for _ in range(5)] == [Verdict.WRONG] * 5
    assert hashes.checks == 1


async def test_whoever_guesses_waits_longer_each_time_and_is_told_the_truth(make, hashes, clock):
    credentials = make(pause_s=1, longest_pause_s=4)
    waits = []
    for guess in range(5):
        before = clock[0]
        assert await check(credentials, b"guess %d" % guess) is Verdict.WRONG
        waits.append(clock[0] - before)
    assert waits == [0, 1, 2, 4, 4]
    assert hashes.checks == 5


async def test_a_station_that_has_been_here_comes_in_at_once_while_somebody_guesses(make, hashes, clock):
    credentials = make()
    await check(credentials, b"right")
    await check(credentials, b"guess")
    assert await check(credentials, b"right") is Verdict.RIGHT
    assert clock == [100.0]


async def test_the_right_password_ends_the_pauses(make, hashes, clock):
    credentials = make(pause_s=1)
    await check(credentials, b"wrong")
    await check(credentials, b"right")
    assert await check(credentials, b"wronger") is Verdict.WRONG
    assert clock == [101.0]


async def test_few_checks_wait_and_one_runs(make, hashes):
    credentials = make(waiting=2)
    hashes.go.clear()
    running = [asyncio.create_task(check(credentials, b"right", f"CP{number}")) for number in range(2)]
    await asyncio.sleep(0)
    assert await check(credentials, b"right", "CP9") is Verdict.LATER  # too many wait
    hashes.go.set()
    assert await asyncio.gather(*running) == [Verdict.RIGHT, Verdict.RIGHT]


async def test_one_check_runs_for_a_station_and_one_more_waits(make, hashes):
    credentials = make()
    hashes.go.clear()
    running = [asyncio.create_task(check(credentials, b"right")) for _ in range(2)]
    await asyncio.sleep(0)
    assert await check(credentials, b"right") is Verdict.LATER
    hashes.go.set()
    assert await asyncio.gather(*running) == [Verdict.RIGHT, Verdict.RIGHT]
    assert hashes.checks == 1
    assert not credentials._turns


async def test_few_wait_for_a_pause_to_end(make, hashes):
    credentials = make(pausing=0)
    await check(credentials, b"wrong")
    assert await check(credentials, b"right") is Verdict.LATER
    assert await check(credentials, b"right", "CP2") is Verdict.RIGHT


async def test_nobody_waits_longer_than_a_handshake_may(make, hashes):
    credentials = make(patience_s=0.01)
    hashes.go.clear()
    assert await check(credentials, b"right") is Verdict.LATER
    hashes.go.set()


async def test_memory_is_bounded(make, hashes, clock):
    credentials = make(remembered=3, pause_s=0.001, longest_pause_s=0.001)
    for number in range(10):
        clock[0] += 1
        await check(credentials, b"wrong", f"CP{number}")
    assert len(credentials._known) == 3
    assert len(credentials._failures) == 3
