"""What is read from an opening request, and who is let in, against a real WebSocket client."""

import asyncio
import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import msgspec
import pytest
from chargebus_edge.door import handshake
from chargebus_events.registry import OnboardingPolicy, removed
from chargebus_events.topics import DEVIATIONS
from chargebus_runtime.secrets import fingerprint, hash_chosen, hash_generated
from chargebus_testkit.waiting import until
from websockets.exceptions import ConnectionClosed, InvalidStatus

PASSWORD = "0123456789abcdef0123456789abcdef01234567"


# The pure part


@pytest.mark.parametrize(
    ("target", "identity"),
    [
        ("/ocpp/CP1", "CP1"),
        ("/ocpp/CP1/", "CP1"),
        ("//ocpp//CP1", "CP1"),
        ("/ocpp/CP1?x=1", "CP1"),
        ("ws://csms.example:80/ocpp/CP1", "CP1"),
        ("http://csms.example//ocpp//CP1", "CP1"),
        ("/ocpp/RDAM%7C123", "RDAM|123"),
        ("/ocpp/a%2Bb+c", "a+b+c"),
        ("/ocpp/A*b-c_d=e+f|g@h.i", "A*b-c_d=e+f|g@h.i"),
        (f"/ocpp/{'x' * 48}", "x" * 48),
        (f"/ocpp/{'x' * 255}", "x" * 255),
        (f"/ocpp/{'x' * 256}", None),
        ("/OCPP/CP1", "CP1"),
        ("/CP1", "CP1"),
        ("///charger", "charger"),
        ("ws://csms.example/CP1", "CP1"),
        ("/ocpp/RDAM%20123", "RDAM 123"),
        ("/ocpp/%20CP1%20", "CP1"),
        ("/ocpp/RDAM%3A123", "RDAM:123"),
        ("/ocpp/RDAM:123", "RDAM:123"),
        ("/ocpp/a%2Fb", "a/b"),
        ("/ocpp/100%25", "100%"),
        ("/ocpp/Lade%C3%A4ule", "Lade\u00e4ule"),
        ("/ocpp/Lade%c3%a4ule", "Lade\u00e4ule"),
        ("/ocpp/Ladea%CC%88ule", "Lade\u00e4ule".replace("ea\u0308", "e\u00e4")),
        ("/ocpp/Lade%E4ule", "Lade\u00e4ule"),
        ("/ocpp/%E5%85%85%E7%94%B5%E6%A1%A9", "\u5145\u7535\u6869"),
        ("/ocpp/", None),
        ("/ocpp", None),
        ("/", None),
        ("", None),
        ("/ocppCP1", None),
        ("/ocpp/a/b", None),
        ("/steve/CP1", None),
        ("/ocpp/%2Fonboarding", None),
        ("/ocpp/%2E%2E", None),
        ("/ocpp/..", None),
        ("/ocpp/%20", None),
        ("/ocpp/a%00", None),
        ("/ocpp/CP1%0A", None),
        ("/ocpp/a%E2%80%AEb", None),
        ("ws://[/ocpp/CP1", None),
    ],
)
def test_identity_is_the_last_part_of_the_path_decoded_and_checked(target, identity):
    assert handshake.identity(target) == identity


def test_A00_FR_205_a_password_is_bytes_and_need_not_be_text():
    secret = bytes(range(256))
    header = "Basic " + base64.b64encode(b"CP1:" + secret).decode()
    assert handshake.password(handshake.basic([header]), "CP1") == secret


@pytest.mark.parametrize(
    ("user", "station_id"),
    [
        ("CP1", "CP1"),
        ("cp1", "CP1"),
        ("CP1 ", "CP1"),
        ("RDAM 123", "RDAM 123"),
        ("RDAM%20123", "RDAM 123"),
        ("RDAM:123", "RDAM:123"),
        ("RDAM%3a123", "RDAM:123"),
        ("a:b:c", "a:b:c"),
        ("Lade\u00e4ule", "Lade\u00e4ule"),
        ("Ladea\u0308ule", "Lade\u00e4ule"),
        ("Lade%C3%84ule", "Lade\u00e4ule"),
    ],
)
def test_the_user_is_the_identity_however_it_is_written(user, station_id):
    assert handshake.password(user.encode() + b":pass:word", station_id) == b"pass:word"


def test_the_user_may_be_in_the_alphabet_of_rfc_2617():
    assert handshake.password("Lade\u00e4ule:x".encode("latin-1"), "Lade\u00e4ule") == b"x"


@pytest.mark.parametrize("user", ["CP2", "", "CP", "CP11", "RDAM", "CP1:"])
def test_A00_FR_204_another_user_is_not_the_station(user):
    assert handshake.password(user.encode() + b":CP1", "CP1") is None or user == "CP1:"


def test_the_identity_tells_which_colon_ends_the_user():
    assert handshake.password(b"A:B:C", "A") == b"B:C"
    assert handshake.password(b"A:B:C", "A:B") == b"C"
    assert handshake.password(b"A:B", "A:B") is None


@pytest.mark.parametrize(
    "header",
    [
        "Basic Q1AxOns/fj5+fn4=",
        "basic Q1AxOns/fj5+fn4=",
        "BASIC Q1AxOns/fj5+fn4=",
        "Basic   Q1AxOns/fj5+fn4=  ",
        "Basic\tQ1AxOns/fj5+fn4=",
        "Basic Q1AxOns/fj5+fn4",
        "Basic Q1AxOns_fj5-fn4=",
        "Basic Q1AxOns_fj5-fn4",
        "Basic Q1AxOns/ fj5+fn4=",
    ],
)
def test_base64_is_understood_without_padding_in_both_alphabets_and_folded(header):
    assert handshake.basic(["Bearer x", header]) == b"CP1:{?~>~~~"


@pytest.mark.parametrize("header", ["Basic !!!", "Basic", "Bearer abc", "", "Basic " + base64.b64encode(b"x").decode()])
def test_a_broken_authorization_is_none(header):
    assert handshake.basic([header]) is None


def test_the_newest_allowed_version_is_chosen_whatever_the_order_of_the_offers():
    assert handshake.choose(["ocpp1.6", "ocpp2.0.1"], ()) == "ocpp2.0.1"
    assert handshake.choose(["ocpp2.0.1", "ocpp1.6"], ()) == "ocpp2.0.1"
    assert handshake.choose(["ocpp2.1", "ocpp2.0.1", "ocpp1.6"], ("1.6", "2.0.1")) == "ocpp2.0.1"
    assert handshake.choose(["ocpp2.0", "ocpp2.0.1"], ()) == "ocpp2.0.1"
    assert handshake.choose(["ocpp2.0", "soap"], ()) is None
    assert handshake.choose(["ocpp2.1"], ("1.6",)) is None


@pytest.mark.parametrize(
    ("offers", "versions", "speech"),
    [
        (["OCPP1.6"], ("1.6",), ("1.6", "OCPP1.6")),
        (["ocpp1.6J"], ("1.6",), ("1.6", "ocpp1.6J")),
        (["ocpp1.6j", "mqtt"], (), ("1.6", "ocpp1.6j")),
        (["ocpp-1.6"], ("1.6", "2.0.1"), ("1.6", "ocpp-1.6")),
        (["OCPP 2.0.1"], ("2.0.1",), ("2.0.1", "OCPP 2.0.1")),
        (["ocpp201"], ("2.0.1",), ("2.0.1", "ocpp201")),
        (["ocpp1_6", "OCPP2.0.1"], (), ("2.0.1", "OCPP2.0.1")),
        (["ocpp1_6", "OCPP2.0.1"], ("1.6",), ("1.6", "ocpp1_6")),
        (["1.6"], ("1.6",), ("1.6", "1.6")),
        (['"ocpp1.6"'], ("1.6",), ("1.6", '"ocpp1.6"')),
        (["ocpp"], ("1.6",), ("1.6", "ocpp")),
        ([], ("1.6",), ("1.6", "")),
        ([], (), None),
        ([], ("1.6", "2.0.1"), None),
        (["ocpp"], (), None),
        (["ocpp"], ("1.6", "2.0.1"), None),
        (["OCPP1.6"], ("2.0.1",), None),
        (["ocpp1.5"], ("1.6",), None),
        (["ocpp2.0"], ("2.0.1",), None),
        (["ocpp9.9"], ("1.6",), None),
        (["soap", "json"], ("1.6",), None),
    ],
)
def test_a_near_miss_of_a_subprotocol_is_taken_where_the_registration_allows_it(offers, versions, speech):
    assert handshake.guess(offers, versions) == speech


@pytest.mark.parametrize(
    ("offers", "versions", "version", "words"),
    [
        (
            ["ocpp2.0"],
            (),
            "2.0",
            "withdrawn: update its firmware, or have it offer ocpp1.6, ocpp2.0.1, ocpp2.1",
        ),
        (["OCPP2.0", "soap"], ("2.0.1",), "2.0", "or have it offer ocpp2.0.1"),
        (["ocpp2.0", "ocpp1.6"], ("2.0.1",), "", "offers OCPP 1.6, and its registration allows 2.0.1"),
        (["ocpp1.5"], ("1.6",), "", "offers 'ocpp1.5', and nothing that is spoken here: have it offer one of ocpp1.6"),
        ([], (), "", "offers no subprotocol: have it offer one of ocpp1.6, ocpp2.0.1, ocpp2.1"),
    ],
)
def test_why_nothing_is_spoken_is_said_to_whoever_can_change_it(offers, versions, version, words):
    why = handshake.unspoken(offers, versions)
    assert why.version == version
    assert words in why.reason


def test_offers_are_read_leniently():
    assert handshake.offered(["ocpp1.6,ocpp2.0.1 ", "", " , ocpp2.1"]) == ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"]


# With a client


async def status_of(connecting):
    with pytest.raises(InvalidStatus) as refused:
        await connecting
    return refused.value.response


async def test_a_registered_station_comes_in_with_its_password(edge):
    async with edge.connect("CP1") as socket:
        assert socket.subprotocol == "ocpp1.6"


@pytest.mark.parametrize("offers", [["OCPP1.6"], ["ocpp1.6J"], None])
async def test_a_near_miss_is_answered_in_the_stations_own_words_and_told(edge, offers):
    edge.register("CP2", versions=("1.6",))
    async with edge.connect("CP2", subprotocols=offers) as socket:
        assert socket.subprotocol == (offers[0] if offers else None)
        await socket.send('[2,"a","Heartbeat",{}]')
        assert '"currentTime"' in await socket.recv()
    told = decode_presence(edge)[0]
    assert told["version"] == "1.6"
    assert told["deviations"] == [
        f"the subprotocol {offers[0]!r} was taken for OCPP 1.6" if offers else "no subprotocol was taken for OCPP 1.6"
    ]
    assert edge.edge.server._parts.counts.events["near_miss"] == 1
    (report,) = await edge.kafka.until("ocpp.deviations", 1)
    (counted,) = msgspec.json.decode(report.value)["deviations"]
    assert (counted["kind"], counted["action"], counted["detail"]) == ("handshake", "", told["deviations"][0])


@pytest.mark.parametrize("offers", [["OCPP1.6"], None])
async def test_a_strict_station_has_to_name_its_subprotocol_rightly(edge, offers):
    edge.register("CP2", versions=("1.6",), strict=True)
    async with edge.connect("CP2", subprotocols=offers) as socket:
        assert socket.subprotocol is None
        with pytest.raises(ConnectionClosed):
            await socket.recv()


@pytest.mark.parametrize(
    "station_id", ["RDAM 123", "RDAM:123", "Lade\u00e4ule 7", "\u5145\u7535\u6869", "a/b", "x" * 255, "50%|+?#"]
)
async def test_any_identity_comes_in_and_is_named_in_full(edge, station_id):
    edge.register(station_id)
    async with edge.connect(station_id, path=f"/ocpp/{quote(station_id, safe='')}") as socket:
        await socket.send('[2,"a","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]')
        (frame,) = await edge.published("device", 1)
    assert frame.key == station_id
    assert dict(frame.headers)["ce_subject"] == station_id.encode()


@pytest.mark.parametrize(
    "secret",
    [
        PASSWORD,
        PASSWORD.upper(),
        f"{PASSWORD}\n",
        f"{PASSWORD}\r\n",
        bytes.fromhex(PASSWORD),
        bytes.fromhex(PASSWORD) + b"\0",
    ],
)
async def test_a_password_matches_as_text_and_as_the_bytes_of_its_hex_form(edge, secret):
    async with edge.connect("CP1", password=secret):
        pass


RAW = {
    "from 0x00 on": bytes(range(20)),
    "up to 0xFF": bytes(range(236, 256)),
    "a colon in it": b"\x00:\xff::" + bytes(range(11)),
    "40 bytes": bytes(range(0, 240, 6)),
}


@pytest.mark.parametrize("stored", [hash_generated, hash_chosen])
@pytest.mark.parametrize("secret", RAW.values(), ids=RAW)
async def test_a_password_of_any_bytes_is_registered_as_hexadecimal_digits_and_matches_in_either_form(
    edge, secret, stored
):
    edge.register("RAW", password_hash=stored(secret.hex().upper()))
    for form in (secret, secret.hex(), secret.hex().upper()):
        async with edge.connect("RAW", password=form):
            pass
    assert (await status_of(edge.connect("RAW", password=secret[:-1]))).status_code == 401


@pytest.mark.parametrize(
    "user", ["Lade:S\u00e4ule 7", "lade:s\u00e4ule 7", "LADE%3AS%C3%84ULE%207", "lade:s%C3%A4ule%207"]
)
async def test_a_station_with_a_colon_in_its_identity_comes_in_however_it_writes_its_name(edge, user):
    station_id = "Lade:S\u00e4ule 7"
    edge.register(station_id, password_hash=hash_generated("pass:word:with:colons"))
    path = f"/ocpp/{quote(station_id, safe='')}"
    async with edge.connect("", path=path, user=user, password="pass:word:with:colons"):
        pass
    assert (await status_of(edge.connect("", path=path, user=user, password="with:colons"))).status_code == 401


async def test_a_percent_encoded_identity_is_decoded_and_the_user_may_be_either_form(edge):
    edge.register("A|B")
    async with edge.connect("A|B", path="/ocpp/A%7CB"):
        pass
    async with edge.connect("A|B", path="//ocpp//A%7CB", user="A%7CB"):
        pass


@pytest.mark.parametrize(
    ("station", "options", "reason"),
    [
        ("nobody", {}, "unknown station"),
        ("CP1", {"password": "wrong"}, "wrong password"),
        ("CP1", {"password": ""}, "wrong password"),
        ("CP1", {"user": "CP2"}, "wrong user"),
        ("CP1", {"additional_headers": {"X-Nothing": "1"}}, "no credentials"),
    ],
)
async def test_A00_FR_203_others_get_401(edge, station, options, reason):
    response = await status_of(edge.connect(station, **options))
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic")
    assert edge.edge.server._parts.counts.handshakes_refused == {reason: 1}


async def test_a_bad_identity_gets_404(edge):
    assert (await status_of(edge.connect("CP1", path="/ocpp/a/b"))).status_code == 404


async def test_a_station_that_needs_tls_does_not_come_in_without(edge):
    edge.register("CP2", security_profile=2)
    assert (await status_of(edge.connect("CP2"))).status_code == 403


@pytest.mark.parametrize("offers", [["ocpp1.5"], None])
async def test_TC_B_58_without_a_common_subprotocol_the_handshake_is_completed_and_the_socket_closed(edge, offers):
    async with edge.connect("CP1", subprotocols=offers) as socket:
        assert socket.subprotocol is None
        assert "Sec-WebSocket-Protocol" not in socket.response.headers
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    assert len(edge.connections) == 0


async def test_a_station_with_which_nothing_is_spoken_is_told_once_a_minute(run_edge, played_kafka):
    now = [datetime(2026, 11, 30, tzinfo=UTC)]
    async with run_edge(clock=lambda: now[0]) as edge:
        edge.register("CP1", updated_at=now[0])
        for after_s in (0, 10, 59, 61):
            now[0] = datetime(2026, 11, 30, tzinfo=UTC) + timedelta(seconds=after_s)
            async with edge.connect("CP1", subprotocols=["ocpp2.0"]) as socket:
                await socket.wait_closed()
        told = [msgspec.json.decode(record.value) for record in await played_kafka.until(DEVIATIONS, 2)]
    assert [(each["station_id"], each["version"]) for each in told] == [("CP1", "2.0")] * 2
    assert [each["deviations"][0]["count"] for each in told] == [1, 3]
    assert told[1]["deviations"][0]["refused"]
    assert told[0]["epoch"] < told[1]["epoch"]


async def test_stations_that_nobody_registered_and_with_which_nothing_is_spoken_are_only_counted(
    run_edge, played_kafka
):
    async with run_edge() as edge:
        policy(edge, "accept")
        edge.register("CP1")
        for station_id in ("made-up-1", "made-up-2", "CP1"):
            async with edge.connect(station_id, subprotocols=["ocpp2.0"]) as socket:
                await socket.wait_closed()
        told = [msgspec.json.decode(record.value) for record in await played_kafka.until(DEVIATIONS, 1)]
        counted = edge.edge.server._parts.counts.handshakes_refused
    assert [each["station_id"] for each in told] == ["CP1"]
    assert counted == {"no subprotocol, not registered": 2, "no subprotocol": 1}


async def test_an_empty_subprotocol_header_is_none_offered(edge):
    response = await raw_handshake(edge, "Connection: Upgrade\r\nSec-WebSocket-Protocol: \r\n")
    assert response.startswith(b"HTTP/1.1 101")
    assert b"sec-websocket-protocol" not in response.lower()


async def test_TC_088_the_registry_decides_which_version_is_chosen(edge):
    edge.register("CP2", versions=("1.6", "2.0.1"))
    offers = ["ocpp1.6", "ocpp2.1", "ocpp2.0.1"]
    for _ in range(2):
        async with edge.connect("CP2", subprotocols=offers) as socket:
            assert socket.subprotocol == "ocpp2.0.1"
        offers.reverse()


async def raw_handshake(edge, headers, target="/ocpp/CP1"):
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.edge.server.port)
    authorization = base64.b64encode(f"CP1:{PASSWORD}".encode()).decode()
    writer.write(
        f"GET {target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Basic {authorization}\r\n{headers}\r\n".encode()
    )
    response = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return response


async def test_a_missing_connection_header_is_forgiven(edge):
    response = await raw_handshake(edge, "Sec-WebSocket-Protocol: ocpp1.6\r\n")
    assert response.startswith(b"HTTP/1.1 101")


async def test_a_full_url_as_request_target_is_understood(edge):
    headers = "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Protocol: ocpp1.6\r\n"
    response = await raw_handshake(edge, headers, "ws://csms.example/ocpp/CP1")
    assert response.startswith(b"HTTP/1.1 101")


async def test_plain_http_gets_an_answer_too(edge):
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.edge.server.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 404")
    writer.close()
    await writer.wait_closed()


# Onboarding


def policy(edge, unknown_stations, password=PASSWORD):
    stored = hash_generated(password) if password else ""
    edge.kafka.write(OnboardingPolicy(unknown_stations, datetime.now(UTC), stored).record())


@pytest.mark.parametrize(("unknown", "registration"), [("pending", "pending"), ("accept", "accepted")])
async def test_an_unknown_station_comes_in_as_the_policy_says(edge, unknown, registration):
    policy(edge, unknown)
    async with edge.connect("new"):
        await edge.kafka.until("ocpp.presence", 1)
        (connection,) = edge.connections.of("new")
        assert connection.protocol.registration == registration


async def test_an_unknown_station_needs_the_onboarding_password(edge):
    policy(edge, "accept")
    assert (await status_of(edge.connect("new", password="wrong"))).status_code == 401


async def test_no_onboarding_password_lets_nobody_in(edge):
    policy(edge, "accept", password="")
    assert (await status_of(edge.connect("new", password=""))).status_code == 401


async def test_unknown_stations_are_refused_again_after_the_policy_changed(edge):
    policy(edge, "accept")
    async with edge.connect("new") as socket:
        await edge.kafka.until("ocpp.presence", 1)
        policy(edge, "refuse")
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    assert (await status_of(edge.connect("new"))).status_code == 401


async def test_a_station_whose_registration_cannot_be_read_is_refused_whoever_else_may_come(edge):
    policy(edge, "accept")
    edge.register("new", "of a later version")
    assert (await status_of(edge.connect("new"))).status_code == 401
    edge.register("new")
    async with edge.connect("new"):
        await edge.kafka.until("ocpp.presence", 1)


async def test_under_a_policy_that_cannot_be_read_no_unknown_station_comes_in(edge):
    policy(edge, "accept")
    policy(edge, "of a later version")
    assert (await status_of(edge.connect("new"))).status_code == 401


# Changes of the registry act on open connections


@pytest.mark.parametrize(
    "change",
    [
        lambda edge: edge.kafka.write(removed("CP1")),
        lambda edge: edge.register("CP1", password_hash=hash_generated("another")),
        lambda edge: edge.register("CP1", "rejected"),
        lambda edge: edge.register("CP1", versions=("2.0.1",)),
        lambda edge: edge.register("CP1", security_profile=2),
        lambda edge: edge.register("CP1", "of a later version"),
    ],
    ids=["removed", "password", "rejected", "version", "profile", "unreadable"],
)
async def test_a_station_that_would_not_be_let_in_any_more_is_closed(edge, change):
    async with edge.connect("CP1") as socket:
        await edge.kafka.until("ocpp.presence", 1)
        change(edge)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd.code == 1008
    assert decode_presence(edge)[-1]["connected"] is False


def decode_presence(edge):
    return [msgspec.json.decode(record.value) for record in edge.kafka.log["ocpp.presence"]]


async def test_a_new_registration_status_reaches_the_protocol(edge):
    async with edge.connect("CP1") as socket:
        await edge.kafka.until("ocpp.presence", 1)
        edge.register("CP1", "pending")
        await socket.send('[2,"a","Heartbeat",{}]')
        assert "SecurityError" in await socket.recv()


# Chosen passwords: chosen passwords wait their turn


async def test_a_wrong_chosen_password_is_told_to_be_wrong_each_time_and_the_right_one_comes_in(edge):
    edge.register("CP2", password_hash=hash_chosen("correct horse"))
    for wrong in ("wrong", "wrong", "wronger"):
        assert (await status_of(edge.connect("CP2", password=wrong))).status_code == 401
    async with edge.connect("CP2", password="correct horse"):
        pass


async def test_of_many_guesses_at_once_those_that_cannot_be_checked_in_time_are_told_to_come_again(edge):
    edge.register("CP2", password_hash=hash_chosen("correct horse"))
    answers = await asyncio.gather(*(status_of(edge.connect("CP2", password=f"guess {n}")) for n in range(4)))
    assert {answer.status_code for answer in answers} == {401, 503}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers if answer.status_code == 503)


async def test_a_password_that_changes_while_it_is_checked_is_checked_again(edge):
    edge.register("CP2", password_hash=hash_chosen("the one before"))
    connecting = asyncio.ensure_future(status_of(edge.connect("CP2", password="a wrong one")))
    await until(lambda: edge.edge.credentials._turns, what="a check under way")
    edge.register("CP2", password_hash=hash_chosen("the one after"))
    assert (await connecting).status_code == 401


# Nobody is turned away for what an edge has not read yet


@pytest.fixture
def behind(edge, monkeypatch):
    """Let the edge read the rest of the registry only when it is asked to: `behind(write)` is what it has not read."""
    unread = []

    async def newest():
        while unread:
            unread.pop(0)()
        return True

    admit_with(edge, monkeypatch, newest)
    return unread.append


def admit_with(edge, monkeypatch, newest):
    parts = edge.edge.server._parts
    monkeypatch.setattr(edge.edge.server, "_parts", replace(parts, admission=replace(parts.admission, newest=newest)))


@pytest.mark.parametrize(
    "news",
    [
        lambda edge: edge.register("CP9"),
        lambda edge: policy(edge, "accept"),
    ],
    ids=["registered", "onboarded"],
)
async def test_a_station_that_connects_at_once_after_it_was_registered_comes_in(edge, behind, news):
    behind(lambda: news(edge))
    async with edge.connect("CP9") as socket:
        assert socket.subprotocol == "ocpp1.6"


@pytest.mark.parametrize(
    "before",
    [
        {"password_hash": hash_generated("another")},
        {"password_hash": hash_chosen("another")},
        {"security_profile": 2},
        {"versions": ("2.0.1",)},
    ],
    ids=["password", "chosen password", "profile", "version"],
)
async def test_a_station_that_was_changed_just_now_is_held_to_what_it_is_now(edge, behind, before):
    edge.register("CP9", **before)
    behind(lambda: edge.register("CP9"))
    async with edge.connect("CP9") as socket:
        assert socket.subprotocol == "ocpp1.6"


async def test_while_it_is_not_known_whether_the_registry_was_read_nobody_is_told_to_be_unknown(edge, monkeypatch):
    async def unknown():
        return False

    admit_with(edge, monkeypatch, unknown)
    answer = await status_of(edge.connect("nobody"))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1


# Several passwords


OLD, NEW, NEWER = (hash_generated(word * 10) for word in ("old ", "new ", "newer "))


@pytest.fixture
def changing(edge):
    """A station whose password is being changed, twice."""
    edge.register("CP2", password_hash=OLD, newer_password_hashes=(NEW, NEWER))
    return edge


@pytest.mark.parametrize(
    ("word", "stored"), [("old ", OLD), ("new ", NEW), ("newer ", NEWER)], ids=["old", "new", "newer"]
)
async def test_a_station_may_use_any_of_its_passwords_and_the_log_tells_which(changing, word, stored):
    async with changing.connect("CP2", password=word * 10):
        await changing.kafka.until("ocpp.presence", 1)
    assert decode_presence(changing)[0]["credential"] == fingerprint(stored)


@pytest.mark.parametrize(("used", "ended"), [("new ", ["old "]), ("newer ", ["old ", "new "]), ("old ", [])])
async def test_those_older_than_the_one_that_was_used_end_at_once(changing, used, ended):
    async with changing.connect("CP2", password=used * 10):
        await changing.kafka.until("ocpp.presence", 1)
    for word in ("old ", "new ", "newer "):
        if word in ended:
            assert (await status_of(changing.connect("CP2", password=word * 10))).status_code == 401


async def test_a_new_password_beside_the_old_one_keeps_the_socket(edge):
    async with edge.connect("CP1") as socket:
        await edge.kafka.until("ocpp.presence", 1)
        edge.register("CP1", newer_password_hashes=(NEW,))
        await socket.send('[2,"a","Heartbeat",{}]')
        assert '"currentTime"' in await socket.recv()


async def test_who_came_in_by_a_password_that_ended_is_closed_and_no_other(changing):
    async with changing.connect("CP2", password="new " * 10) as socket:
        await changing.kafka.until("ocpp.presence", 1)
        changing.register("CP2", password_hash=NEW, newer_password_hashes=(NEWER,))
        await socket.send('[2,"a","Heartbeat",{}]')
        assert '"currentTime"' in await socket.recv()
        changing.register("CP2", password_hash=NEWER)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd.code == 1008
