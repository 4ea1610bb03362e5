"""Who is told when, where it may go, and what follows from an attempt: plain values."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from uuid import uuid4

import pytest
from chargebus_notification.delivery.domain import signing
from chargebus_notification.delivery.domain.addresses import header_objection, mail_objection
from chargebus_notification.delivery.domain.checks import Able, objections
from chargebus_notification.delivery.domain.schedule import Digest, QuietHours
from chargebus_notification.delivery.domain.subscription import (
    PARKED_RULE,
    Mail,
    Secrets,
    Told,
    Wanted,
    Webhook,
    as_wanted,
    is_news,
    matches,
)
from chargebus_notification.delivery.domain.trying import Patience, Result, decide
from chargebus_outbound.targets import UnfitUrlError, refusal, target
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ABLE = Able(plain_http=False, allowed=(), can_seal=True, can_mail=True)
PATIENCE = Patience(timedelta(days=1), timedelta(minutes=15))
HOOK = Webhook("https://example.com/hook")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def told(**changes: object) -> Told:
    usual = {
        "event_id": "e1",
        "alert_id": "a1",
        "subject": "CS-1",
        "rule": "station_offline",
        "change": "open",
        "severity": "warning",
        "at": NOW,
        "labels": {"site": "north", "operator": "x"},
        "body": b"{}",
    }
    return Told(**(usual | changes))


@pytest.mark.parametrize(
    ("wanted", "is_told"),
    [
        ({}, True),
        ({"severity": "warning"}, True),
        ({"severity": "critical"}, False),
        ({"rules": ("station_offline", "other")}, True),
        ({"rules": ("other",)}, False),
        ({"states": ("open",)}, True),
        ({"states": ("resolved", "acknowledged")}, False),
        ({"labels": {"site": "north"}}, True),
        ({"labels": {"site": "north", "operator": "x"}}, True),
        ({"labels": {"site": "south"}}, False),
        ({"labels": {"site": "north", "floor": "1"}}, False),
    ],
)
def test_a_subscription_is_told_of_what_passes_all_its_filters(wanted, is_told):
    assert matches(uuid4(), Wanted("n", HOOK, **wanted), told()) is is_told


@pytest.mark.parametrize(
    ("before", "change", "is_told"),
    [
        (("open", "critical"), "resolved", True),
        (("acknowledged", "critical"), "resolved", True),
        (("open", "critical"), "open", False),
        (("resolved", "critical"), "resolved", False),
        (None, "resolved", False),
    ],
)
def test_the_end_of_what_was_told_is_told_though_it_is_less_severe_by_then(before, change, is_told):
    critical = Wanted("n", HOOK, severity="critical")

    assert matches(uuid4(), critical, told(change=change, severity="warning"), before) is is_told


def test_a_receiver_that_is_given_up_is_not_told_of_itself_and_others_are():
    parked, other = uuid4(), uuid4()
    of_itself = told(rule=PARKED_RULE, subject=str(parked))

    assert not matches(parked, Wanted("n", HOOK), of_itself)
    assert matches(other, Wanted("n", HOOK), of_itself)


@pytest.mark.parametrize(
    ("before", "change", "is_told"),
    [
        (None, {}, True),
        (("open", "warning"), {}, False),  # it happened once more
        (("open", "warning"), {"severity": "critical"}, True),
        (("resolved", "warning"), {}, True),
        (("open", "warning"), {"change": "resolved"}, True),
        (None, {"silenced": True}, False),
        (None, {"silenced": True, "change": "resolved"}, False),
        (("resolved", "warning"), {"silenced": True}, False),
        (("open", "warning"), {"silenced": True, "change": "resolved"}, True),
        (("open", "warning"), {"change": "acknowledged"}, True),
        (("acknowledged", "warning"), {"change": "acknowledged"}, False),
        (("open", "warning"), {"silenced": True, "change": "acknowledged"}, False),
    ],
)
def test_only_news_are_told_and_of_what_is_silenced_only_how_it_ends(before, change, is_told):
    assert is_news(before, told(**change)) is is_told


@pytest.mark.parametrize(
    ("states", "change"),
    [((), "acknowledged"), (("acknowledged",), "acknowledged"), (("open",), "open"), (("open", "resolved"), "open")],
)
def test_who_does_not_ask_for_what_is_acknowledged_has_it_as_open(states, change):
    assert as_wanted(Wanted("n", HOOK, states=states), told(change="acknowledged")).change == change


def test_a_digest_goes_out_at_the_next_full_step():
    assert Digest(every_minutes=30).next_after(at("2026-05-01T12:10:00+00:00")) == at("2026-05-01T12:30:00+00:00")
    assert Digest(every_minutes=30).next_after(at("2026-05-01T12:30:00+00:00")) == at("2026-05-01T13:00:00+00:00")


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-07-01T05:59:00+00:00", "2026-07-01T06:00:00+00:00"),
        ("2026-07-01T06:00:00+00:00", "2026-07-02T06:00:00+00:00"),
        ("2026-01-01T06:30:00+00:00", "2026-01-01T07:00:00+00:00"),
        ("2026-03-28T12:00:00+00:00", "2026-03-29T06:00:00+00:00"),  # the clock is put forward in between
    ],
)
def test_a_daily_digest_follows_the_clock_of_its_time_zone(now, expected):
    assert Digest(at="08:00", time_zone="Europe/Berlin").next_after(at(now)) == at(expected)


def test_a_time_that_the_clock_skips_comes_when_it_would_have():
    digest = Digest(at="02:30", time_zone="Europe/Berlin")

    assert digest.next_after(at("2026-03-28T23:30:00+00:00")) == at("2026-03-29T01:30:00+00:00")


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        ("2026-07-01T19:59:00+00:00", None),
        ("2026-07-01T20:00:00+00:00", "2026-07-02T05:00:00+00:00"),
        ("2026-07-01T23:00:00+00:00", "2026-07-02T05:00:00+00:00"),
        ("2026-07-02T04:59:59+00:00", "2026-07-02T05:00:00+00:00"),
        ("2026-07-02T05:00:00+00:00", None),
    ],
)
def test_what_comes_in_quiet_hours_waits_for_their_end(now, ends):
    quiet = QuietHours("22:00", "07:00", "Europe/Berlin")

    assert quiet.end_of(at(now)) == (ends and at(ends))


def test_quiet_hours_within_a_day():
    quiet = QuietHours("12:00", "14:00", "UTC")

    assert quiet.end_of(at("2026-07-01T13:00:00+00:00")) == at("2026-07-01T14:00:00+00:00")
    assert quiet.end_of(at("2026-07-01T15:00:00+00:00")) is None


@given(
    now=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - Hypothesis adds the zone
    starts=st.integers(0, 1439),
    ends=st.integers(0, 1439),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]),
)
def test_quiet_hours_end_after_a_while_and_then_it_is_not_quiet(now, starts, ends, zone):
    if starts == ends:
        return
    clock = [f"{minute // 60:02}:{minute % 60:02}" for minute in (starts, ends)]
    quiet = QuietHours(*clock, zone)
    end = quiet.end_of(now)

    if end is not None:
        assert now < end <= now + timedelta(hours=26)
        assert quiet.end_of(end) is None


def test_critical_alerts_pass_where_they_may():
    quiet = QuietHours("00:00", "23:59", "UTC", critical_passes=True)
    wanted = Wanted("n", HOOK, quiet_hours=quiet)

    assert wanted.due_at("critical", NOW) == NOW
    assert wanted.due_at("warning", NOW) == at("2026-05-01T23:59:00+00:00")


def test_a_digest_that_falls_into_quiet_hours_waits_for_their_end():
    wanted = Wanted("n", HOOK, digest=Digest(every_minutes=60), quiet_hours=QuietHours("12:30", "15:00", "UTC"))

    assert wanted.due_at("warning", NOW) == at("2026-05-01T15:00:00+00:00")


def test_what_failed_is_tried_again_after_the_pause():
    assert decide(Result("failed"), None, 10, NOW, PATIENCE).retry_at == NOW + timedelta(seconds=10)


def test_a_receiver_that_asks_for_more_time_gets_it_within_bounds():
    asks = Result("failed", 429, retry_after_s=120)
    asks_too_much = Result("failed", 503, retry_after_s=1e9)

    assert decide(asks, None, 10, NOW, PATIENCE).retry_at == NOW + timedelta(seconds=120)
    assert decide(asks_too_much, None, 10, NOW, PATIENCE).retry_at == NOW + timedelta(hours=1)


def test_after_a_day_of_failures_the_receiver_is_given_up_and_not_before():
    failed = Result("failed", 500, "it answered 500")
    day = timedelta(days=1)

    assert decide(failed, NOW - day + timedelta(seconds=1), 10, NOW, PATIENCE).retry_at
    given_up = decide(failed, NOW - day, 10, NOW, PATIENCE)
    assert given_up.retry_at is None
    assert "24 hours: it answered 500" in given_up.parked_for


def test_what_is_gone_is_given_up_at_once():
    assert decide(Result("gone", 410, "gone for good"), None, 10, NOW, PATIENCE).parked_for == "gone for good"


def test_a_message_is_signed_as_standard_webhooks_says():
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    at, body = datetime.fromtimestamp(1614265330, UTC), b'{"test": 2432232314}'
    headers = signing.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", at, body, [secret])

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_a_secret_is_changed_both_sign():
    renewed = Secrets("whsec_bmV3", previous="whsec_b2xk", previous_until=NOW + timedelta(hours=1))
    said = signing.headers("m", NOW, b"{}", renewed.signing(NOW))["webhook-signature"].split(" ")
    signed = f"m.{int(NOW.timestamp())}.{{}}".encode()
    expected = [
        "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in (b"new", b"old")
    ]

    assert said == expected
    assert renewed.signing(NOW + timedelta(hours=1)) == ("whsec_bmV3",)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "192.88.99.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2001:0:1::1",
        "2001:db8::1",
    ],
)
def test_nothing_goes_to_addresses_that_are_not_public(address):
    assert refusal(ip_address(address), ())


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_addresses_may_be_posted_to(address):
    assert refusal(ip_address(address), ()) == ""


def test_a_network_may_be_allowed_and_allows_no_other():
    allowed = (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))

    assert refusal(ip_address("10.1.2.3"), allowed) == ""
    assert refusal(ip_address("fd00::1"), allowed) == ""
    assert refusal(ip_address("10.2.2.3"), allowed) == "private"
    assert refusal(ip_address("::ffff:10.1.2.3"), allowed)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com/", "scheme must be https"),
        ("ftp://example.com/", "scheme must be https"),
        ("file:///etc/passwd", "scheme must be https"),
        ("gopher://example.com/", "scheme must be https"),
        ("//example.com/", "scheme must be https"),
        ("https://user:secret@example.com/", "no user"),
        ("https://user@example.com/", "no user"),
        ("https://2130706433/", "four decimal numbers"),
        ("https://0x7f000001/", "four decimal numbers"),
        ("https://0x7f.0.0.1/", "four decimal numbers"),
        ("https://0177.0.0.1/", "four decimal numbers"),
        ("https://127.1/", "four decimal numbers"),
        ("https://127.0.0.1./", "four decimal numbers"),
        ("https://[::1/", "no URL"),
        ("https://[fe80::1%25eth0]/", "one interface|no URL"),
        ("https://[v1.x]/", "no IPv6 address|no URL"),
        ("https:///path", "no name"),
        ("https://exa mple.com/", "no spaces"),
        ("https://example.com\\@127.0.0.1/", "no backslash"),
        ("https://example.com/\r\nHost: x", "no spaces"),
        ("https://ex%61mple.com/", "no name"),
        ("https://münchen.example/", "ASCII"),
        ("https://example.com:0/", "port 0"),
        ("https://example.com:99999/", "no URL"),
        ("https://example.com/#x", "no fragment"),
        ("https://example.com/" + "x" * 2048, "at most 2048"),
    ],
)
def test_a_url_that_is_none_to_post_to_is_refused_with_the_reason(url, why):
    with pytest.raises(UnfitUrlError, match=why):
        target(url, plain=False)


def test_a_url_keeps_its_name_port_and_query():
    found = target("https://hooks.example.com:8443/in?key=1&x", plain=False)

    assert (found.host, found.port, found.path) == ("hooks.example.com", 8443, "/in?key=1&x")
    assert found.authority == "hooks.example.com:8443"
    assert target("https://[2001:DB8::1]", plain=False).authority == "[2001:db8::1]"
    assert target("http://example.com", plain=True).port == 80


@pytest.mark.parametrize(
    "address",
    [
        *("x", "@example.com", "x@", "x@localhost", "a b@example.com", "x@example.com\nBcc: y@example.com", "x@y@"),
        *("ä@b.de", "a..b@example.com", ".a@example.com", "x@exa_mple..com", "x" * 65 + "@example.com"),
        '"x y"@example.com',
    ],
)
def test_what_is_no_address_of_mail_is_refused(address):
    assert mail_objection(address)


@pytest.mark.parametrize("address", ["a@example.com", "first.last+tag@mail.example.co.uk", "o'neil@example.com"])
def test_addresses_of_mail_are_taken(address):
    assert mail_objection(address) == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "x"),
        ("webhook-id", "x"),
        ("Content-Length", "1"),
        ("Transfer-Encoding", "x"),
        ("X Y", "z"),
        ("X", "a\r\nB: c"),
    ],
)
def test_headers_that_would_forge_a_message_are_refused(name, value):
    assert header_objection(name, value)


def test_other_headers_may_be_sent():
    assert header_objection("Authorization", "Bearer abc") == ""


@pytest.mark.parametrize(
    ("wanted", "able", "where", "what"),
    [
        (Wanted("n", Webhook("https://127.0.0.1/")), {}, "channel.url", "this machine"),
        (Wanted("n", Webhook("https://[::ffff:127.0.0.1]/")), {}, "channel.url", "IPv4 address in the form of IPv6"),
        (Wanted("n", Webhook("ftp://example.com")), {}, "channel.url", "https"),
        (Wanted("n", HOOK), {"can_seal": False}, "channel.kind", "SEALING_KEYS"),
        (Wanted("n", Mail(("a@example.com",))), {"can_mail": False}, "channel.kind", "NOTIFICATION_SMTP_HOST"),
        (Wanted("n", Mail(("a@example.com", "b"))), {}, "channel.addresses.1", "@"),
        (Wanted("n", HOOK, digest=Digest(at="08:00", time_zone="Berlin")), {}, "digest.time_zone", "Berlin"),
        (Wanted("n", HOOK, quiet_hours=QuietHours("1:00", "2:00", "../x")), {}, "quiet_hours.time_zone", "x"),
        (Wanted("n", HOOK, quiet_hours=QuietHours("01:00", "01:00", "UTC")), {}, "quiet_hours.ends", "all day"),
    ],
)
def test_what_nobody_could_be_told_by_is_refused_where_it_stands(wanted, able, where, what):
    able = Able(**({"plain_http": False, "allowed": (), "can_seal": True, "can_mail": True} | able))
    (found,) = objections(wanted, {}, able)

    assert found.where == where
    assert what in found.what


def test_what_can_be_told_is_taken():
    assert (
        objections(Wanted("n", HOOK, quiet_hours=QuietHours("22:00", "07:00", "Europe/Berlin")), {"A": "b"}, ABLE) == []
    )
