"""What is read from an opening request, and who is let in, against a real WebSocket client."""

import asyncio
import base64
from datetime import UTC, datetime

import msgspec
import pytest
from chargebus_edge.door import handshake
from chargebus_events.registry import OnboardingPolicy, removed
from chargebus_runtime.secrets import hash_chosen, hash_generated
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
        (f"/ocpp/{'x' * 49}", None),
        ("/ocpp/", None),
        ("/ocpp", None),
        ("/", None),
        ("", None),
        ("///charger", None),
        ("/ocppCP1", None),
        ("/ocpp/a/b", None),
        ("/ocpp/a%2Fb", None),
        ("/ocpp/a%20b", None),
        ("/ocpp/a%00", None),
        ("/ocpp/%C3%A9", None),
        ("/ocpp/CP1%0A", None),
        ("ws://[/ocpp/CP1", None),
    ],
)
def test_identity_is_the_last_part_of_the_path_decoded_and_checked(target, identity):
    assert handshake.identity(target) == identity


def test_A00_FR_205_a_password_is_bytes_and_need_not_be_text():
    secret = bytes(range(256))
    header = "Basic " + base64.b64encode(b"CP1:" + secret).decode()
    assert handshake.basic([header]) == ("CP1", secret)


@pytest.mark.parametrize("header", ["Basic !!!", "Basic", "Bearer abc", "", "Basic " + base64.b64encode(b"x").decode()])
def test_a_broken_authorization_is_none(header):
    assert handshake.basic([header]) is None


def test_the_newest_allowed_version_is_chosen_whatever_the_order_of_the_offers():
    assert handshake.choose(["ocpp1.6", "ocpp2.0.1"], ()) == "ocpp2.0.1"
    assert handshake.choose(["ocpp2.0.1", "ocpp1.6"], ()) == "ocpp2.0.1"
    assert handshake.choose(["ocpp2.1", "ocpp2.0.1", "ocpp1.6"], ("1.6", "2.0.1")) == "ocpp2.0.1"
    assert handshake.choose(["ocpp2.0", "soap"], ()) is None
    assert handshake.choose(["ocpp2.1"], ("1.6",)) is None


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


@pytest.mark.parametrize(
    "secret",
    [PASSWORD, bytes.fromhex(PASSWORD)],
)
async def test_a_password_matches_as_text_and_as_the_bytes_of_its_hex_form(edge, secret):
    async with edge.connect("CP1", password=secret):
        pass


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


async def test_compression_is_never_agreed_on(edge):
    headers = "Connection: Upgrade\r\nSec-WebSocket-Protocol: ocpp1.6\r\n"
    response = await raw_handshake(edge, headers + "Sec-WebSocket-Extensions: permessage-deflate\r\n")
    assert b"sec-websocket-extensions" not in response.lower()


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


async def test_a_chosen_password_is_checked_in_turn_and_remembered(edge):
    edge.register("CP2", password_hash=hash_chosen("correct horse"))
    assert (await status_of(edge.connect("CP2", password="wrong"))).status_code == 401
    again = await status_of(edge.connect("CP2", password="wrong"))
    assert again.status_code == 401
    later = await status_of(edge.connect("CP2", password="wronger"))
    assert later.status_code == 503
    assert int(later.headers["Retry-After"]) >= 1
