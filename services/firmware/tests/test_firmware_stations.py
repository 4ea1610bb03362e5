"""What is known of a station comes together of what is told of it, whatever comes late."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_commanding import Outcome
from chargebus_firmware.links.domain.choice import chosen
from chargebus_firmware.stations import domain
from chargebus_firmware.stations.domain import ENDED_REMEMBERED, Description, Energy, Make, Station
from chargebus_firmware.stations.routes import protocols_of
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OLD, NEW = Make("Acme", "One", "1", "1.0"), Make("Acme", "One", "1", "2.0")
EMPTY = Station("CS-1")


def at(minutes):
    return NOW + timedelta(minutes=minutes)


CHANGES = [
    lambda s: domain.booted(s, at(0), OLD, "1.6"),
    lambda s: domain.booted(s, at(9), NEW, "1.6"),
    lambda s: domain.described(s, at(0), Description("old", {"site": "depot"})),
    lambda s: domain.described(s, at(5), Description("new", {"site": "port"}, "Europe/Berlin")),
    lambda s: domain.status_told(s, "1.1", at(1), faulted=True),
    lambda s: domain.status_told(s, "1.1", at(4), faulted=False),
    lambda s: domain.status_told(s, "2.1", at(2), faulted=True),
    lambda s: domain.session_told(s, Energy("s1", True, at(1))),
    lambda s: domain.session_told(s, Energy("s1", False, at(6), at(6))),
    lambda s: domain.session_told(s, Energy("s2", True, at(7))),
    lambda s: domain.session_told(s, Energy("s3", False, at(3), at(3))),
    lambda s: domain.connected(s, at(0), 7, "1.6"),
    lambda s: domain.lost(s, at(2), 7),
    lambda s: domain.connected(s, at(3), 9, "1.6"),
]


@given(st.permutations(CHANGES))
def test_in_whatever_order_it_is_told_the_newest_of_each_counts(changes):
    station = EMPTY
    for change in changes:
        station = change(station)

    assert station.make == NEW
    assert station.described == Description("new", {"site": "port"}, "Europe/Berlin")
    assert station.faulted
    assert {key: seen.so for key, seen in station.connectors.items()} == {"1.1": False, "2.1": True}
    assert station.open_sessions == 1
    assert station.last_ended_at == at(6)
    assert station.online
    assert station.connected_at == at(3)


def test_a_connection_that_was_lost_is_not_there_again_by_its_own_begin():
    lost = domain.lost(domain.connected(EMPTY, at(0), 7, "2.1"), at(1), 7)

    assert not lost.online
    assert lost.ocpp_version == "2.1"
    assert not domain.lost(EMPTY, at(1), 7).online


def test_a_session_that_goes_on_after_it_was_taken_for_ended_is_open():
    ended = domain.session_told(EMPTY, Energy("s1", False, at(1)))

    assert domain.session_told(ended, Energy("s1", True, at(2))).open_sessions == 1


def test_sessions_that_ended_are_forgotten_but_for_the_last():
    station = domain.session_told(EMPTY, Energy("open", True, at(0)))
    for number in range(3 * ENDED_REMEMBERED):
        station = domain.session_told(station, Energy(f"s{number}", False, at(number), at(number)))

    assert len(station.sessions) == ENDED_REMEMBERED + 1
    assert station.open_sessions == 1


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_told_twice_is_told_once(change):
    once = change(EMPTY)

    assert change(once) == once


def test_at_a_station_that_is_removed_nothing_goes_on():
    station = domain.status_told(domain.session_told(EMPTY, Energy("s1", True, at(0))), "1.1", at(0), faulted=True)
    removed = domain.described(station, at(1), Description(removed=True))

    assert (removed.is_known, removed.faulted, removed.open_sessions) == (False, False, 0)


@pytest.mark.parametrize(
    ("action", "members", "protocols"),
    [
        (
            "GetConfiguration",
            {"configurationKey": [{"key": "supportedFileTransferProtocols", "value": "ftp,HTTP"}]},
            ("FTP", "HTTP"),
        ),
        ("GetConfiguration", {"unknownKey": ["SupportedFileTransferProtocols"]}, ()),
        (
            "GetVariables",
            {"getVariableResult": [{"attributeStatus": "Accepted", "attributeValue": "HTTPS,SFTP,TELEPATHY"}]},
            ("HTTPS", "SFTP"),
        ),
        ("GetVariables", {"getVariableResult": [{"attributeStatus": "UnknownVariable"}]}, ()),
        ("GetVariables", {"getVariableResult": "nonsense"}, ()),
        ("GetConfiguration", {"configurationKey": [{"key": "SupportedFileTransferProtocols", "value": 7}]}, ()),
    ],
)
def test_over_what_a_station_transfers_files_is_read_in_the_words_of_its_version(action, members, protocols):
    payload = msgspec.Raw(msgspec.json.encode(members))
    outcome = Outcome("c", "CS-1", "i", "", "answered", NOW, action=action, payload=payload)

    assert protocols_of(outcome) == protocols


@pytest.mark.parametrize(
    ("name", "error", "protocols"),
    [
        ("refused", "NotImplemented", ()),
        ("refused", "NotSupported", ()),
        ("refused", "InternalError", None),
        ("timed_out", "", None),
        ("undeliverable", "", None),
        ("expired", "", None),
    ],
)
def test_a_station_that_did_not_answer_may_know_any_protocol(name, error, protocols):
    outcome = Outcome("c", "CS-1", "i", "", name, NOW, action="GetConfiguration", error_code=error)

    assert protocols_of(outcome) == protocols


@pytest.mark.parametrize(
    ("protocols", "offered", "http", "over"),
    [
        (("HTTPS", "FTP"), ("ftp",), "HTTPS", "http"),
        (("HTTPS", "FTP"), ("ftp",), "HTTP", "ftp"),
        (("FTP", "SFTP"), ("ftp", "sftp"), "HTTP", "sftp"),
        (("FTP", "SFTP"), ("ftp",), "HTTP", "ftp"),
        (("SFTP",), ("ftp",), "HTTP", "http"),
        ((), ("ftp", "sftp"), "HTTP", "http"),
        (("HTTP", "HTTPS"), ("https", "ftp"), "HTTP", "https"),
        (("HTTP",), ("https", "ftp"), "HTTP", "http"),
        (("HTTPS", "SFTP"), ("sftp",), "HTTP", "sftp"),
        ((), ("https",), "HTTP", "http"),
    ],
)
def test_a_file_goes_over_the_best_that_a_station_knows_and_that_is_served(protocols, offered, http, over):
    assert chosen(protocols, offered, http) == over


def test_another_firmware_may_know_other_protocols():
    station = domain.protocols_told(domain.booted(EMPTY, at(0), OLD, "1.6"), ("FTP",))

    assert domain.booted(station, at(1), OLD, "1.6").protocols == ("FTP",)
    assert domain.booted(station, at(1), NEW, "1.6").protocols is None
