"""A request for a certificate, from its CSR to what the station says of the certificate."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from chargebus_ocppj.schemas import validate_call
from chargebus_security.authorities.domain.profiles import COMBINED, STATION, TYPES, V2G, V2G20, Later, Refused
from chargebus_security.authorities.domain.requests import SigningRequest
from chargebus_security.settings import SigningSettings
from chargebus_security.signing.block import names_of
from chargebus_security.signing.domain import request as life
from chargebus_security.signing.domain.policy import INVALID, NOT_ENABLED, Policy, judge, too_many
from chargebus_security.signing.domain.request import Certificate, CertificateRequest, Patience, Told
from chargebus_security.signing.operations import Requests, Signing
from chargebus_security.signing.routes import certificate_forms, trigger_forms
from chargebus_security.stations.domain import Description, Make, Station
from chargebus_testkit.pki import csr, make_key, name
from cryptography.exceptions import UnsupportedAlgorithm

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PATIENCE = Patience(within=DAY, renew_before=30 * DAY)
NEW = CertificateRequest(UUID(int=1), "CS-1", STATION, None, "csr", "print", NOW, "waiting", NOW, due_at=NOW)
ISSUED = Certificate("built-in", "7f", "chain", NOW, NOW + 365 * DAY)
ACCEPTED, REJECTED = Told(True, "Accepted", ""), Told(True, "Rejected", "InvalidSignature")
ABSENT = Told(False, "", "the station is not connected")


def at(**times):
    return NOW + timedelta(**times)


def sent(request=NEW):
    return life.sent(life.signed(request, ISSUED, NOW), NOW)


def test_a_certificate_is_sent_at_once_when_it_is_there():
    signed = life.signed(NEW, ISSUED, at(minutes=1))

    assert (signed.state, signed.due_at, signed.chain, signed.serial_number) == ("signed", at(minutes=1), "chain", "7f")


def test_what_a_station_accepts_is_installed_and_renewed_before_it_ends():
    installed = life.told(sent(), ACCEPTED, PATIENCE, NOW)

    assert (installed.state, installed.due_at) == ("installed", None)
    assert installed.renew_at == NOW + 335 * DAY


def test_a_short_certificate_is_not_renewed_at_once():
    short = life.signed(NEW, msgspec.structs.replace(ISSUED, not_after=NOW + 9 * DAY), NOW)

    assert life.told(life.sent(short, NOW), ACCEPTED, PATIENCE, NOW).renew_at == NOW + 6 * DAY


def test_what_a_station_declines_is_shown_with_its_reason_and_not_sent_again():
    declined = life.told(sent(), REJECTED, PATIENCE, NOW)

    assert (declined.state, declined.reason, declined.due_at, declined.renew_at) == (
        "declined",
        "InvalidSignature",
        None,
        None,
    )


def test_a_station_that_is_not_reached_is_tried_ever_more_seldom_until_the_patience_is_over():
    request, waits, now = sent(), [], NOW
    while (request := life.told(request, ABSENT, PATIENCE, now)).state == "signed":
        waits.append((request.due_at - now).total_seconds())
        now = request.due_at
        request = life.sent(request, now)

    assert waits[:5] == [15, 30, 60, 120, 240]
    assert max(waits) == 3600
    assert request.state == "failed"
    assert request.reason == "the station is not connected"
    assert NOW + DAY <= now <= NOW + DAY + timedelta(hours=1)


def test_an_authority_is_asked_again_when_it_said():
    put_off = life.put_off(NEW, "HTTP 202", at(minutes=5), PATIENCE, NOW)

    assert (put_off.state, put_off.due_at, put_off.tries) == ("waiting", at(minutes=5), 1)
    assert life.put_off(NEW, "HTTP 202", NOW - DAY, PATIENCE, NOW).due_at > NOW


def test_one_request_gets_one_certificate_however_often_it_comes():
    again = life.asked_again(life.told(sent(), REJECTED, PATIENCE, NOW), 9, at(hours=1))

    assert (again.state, again.chain, again.due_at, again.station_request_id) == ("signed", "chain", at(hours=1), 9)
    assert life.asked_again(NEW, 9, at(hours=1)).due_at == NEW.due_at
    assert life.asked_again(sent(), None, NOW).state == "sent"
    assert life.asked_again(life.refused(NEW, "no", NOW), None, NOW).state == "waiting"


def test_what_has_ended_is_signed_anew():
    again = life.asked_again(life.told(sent(), ACCEPTED, PATIENCE, NOW), None, NOW + 365 * DAY)

    assert (again.state, again.chain, again.serial_number, again.not_after) == ("waiting", "", "", None)


def test_no_retry_after_parks_a_request_for_longer_than_it_is_waited_for():
    parked = life.put_off(NEW, "HTTP 503", NOW + 3650 * DAY, PATIENCE, NOW)

    assert parked.due_at == NOW + DAY
    assert life.put_off(parked, "HTTP 503", None, PATIENCE, NOW + DAY).state == "failed"


def test_a_request_that_comes_again_while_it_is_signed_stays_claimed():
    claimed = msgspec.structs.replace(NEW, claimed_until=at(minutes=2))
    refused = life.refused(claimed, "no", NOW)

    assert life.asked_again(refused, None, at(minutes=1)).claimed_until == at(minutes=2)


def station(station_id, serial_number):
    return Station(station_id, Make(serial_number=serial_number))


@pytest.mark.parametrize(
    ("others", "counts"),
    [([], True), ([station("SN-7", "")], False), ([station("CS-2", "SN-7")], False), ([station("CS-2", "SN-8")], True)],
)
def test_a_serial_number_counts_where_nobody_else_is_called_so(others, counts):
    own = station("CS-1", " SN-7")

    assert names_of(own, [own, *others]) == {"station_id": "CS-1", "serial_number": "SN-7" if counts else ""}


def test_stations_are_named_by_their_ids_alone_unless_it_is_set():
    assert SigningSettings().csr_names == ("station_id",)


@pytest.mark.parametrize(
    ("station", "registered"),
    [
        (Station("CS-1"), False),
        (Station("CS-1", described_at=NOW), True),
        (Station("CS-1", described_at=NOW, described=Description(removed=True)), False),
    ],
)
def test_only_what_an_operator_described_is_registered(station, registered):
    assert station.is_registered == registered


def test_what_was_superseded_is_told_of_nothing_more():
    superseded = life.superseded(sent(), NOW)

    assert life.told(superseded, ACCEPTED, PATIENCE, NOW) == superseded
    assert not superseded.is_open


@pytest.mark.parametrize(("limit", "kept"), [(30, 3), (29, 2), (10, 1), (9, 0)])
def test_a_chain_loses_its_last_certificates_where_there_is_no_room(limit, kept):
    assert life.cut(["a" * 10, "b" * 10, "c" * 10], limit) == "".join(["a" * 10, "b" * 10, "c" * 10][:kept])


POLICY = Policy({STATION: "built-in"}, ("station_id", "serial_number"), "Acme", 365 * DAY, 90 * DAY, 20, 3)
NAMES = {"station_id": "CS-1", "serial_number": "SN-7"}


def test_what_is_taken_and_what_is_not():
    good = csr(make_key(), name("SN-7", "Acme"))

    assert isinstance(judge(POLICY, STATION, good, NAMES), SigningRequest)
    assert judge(POLICY, V2G, good, NAMES).code == NOT_ENABLED
    assert judge(POLICY, STATION, "no csr", NAMES).code == INVALID
    assert judge(POLICY, STATION, good, {"station_id": "CS-1", "serial_number": ""}).code == INVALID


@pytest.mark.parametrize(
    ("requests", "in_force", "why"), [(20, 2, ""), (21, 2, "within an hour"), (20, 3, "3 certificates are in force")]
)
def test_a_station_that_asks_without_end_gets_no_more(requests, in_force, why):
    found = too_many(POLICY, requests, in_force)

    assert why in found
    assert bool(found) == bool(why)


def test_certificates_last_as_long_as_their_type_says():
    assert [POLICY.profile(kind).valid for kind in (STATION, COMBINED, V2G, V2G20)] == [
        365 * DAY,
        365 * DAY,
        90 * DAY,
        90 * DAY,
    ]


@pytest.mark.parametrize("certificate_type", TYPES)
@pytest.mark.parametrize("number", [None, 7])
def test_certificates_go_out_in_the_words_of_each_version_that_knows_their_type(certificate_type, number):
    request = msgspec.structs.replace(
        life.signed(NEW, ISSUED, NOW), certificate_type=certificate_type, station_request_id=number
    )
    forms = certificate_forms(request)
    for form in (*forms, *trigger_forms(certificate_type)):
        for version in form.versions:
            validate_call(version, form.action, form.payload)
    members = {version: msgspec.json.decode(form.payload) for form in forms for version in form.versions}

    assert (
        members.keys()
        == {
            STATION: {"1.6", "2.0.1", "2.1"},
            V2G: {"2.0.1", "2.1"},
            COMBINED: {"2.0.1", "2.1"},
            V2G20: {"2.1"},
        }[certificate_type]
    )
    assert members["2.1"].get("requestId") == number
    assert members["2.1"].get("certificateType", "") == certificate_type


class Broken:
    name = "built-in"

    async def sign(self, request, profile):
        raise UnsupportedAlgorithm("a curve that nobody knows")


async def test_an_authority_that_fails_is_asked_again():
    signing = Signing(POLICY, {"built-in": Broken()}, PATIENCE, DAY, 1.0, 10000, 1, DAY)
    requests = Requests(None, None, signing, None, None)
    request = msgspec.structs.replace(NEW, csr=csr(make_key(), name("CS-1", "Acme")))

    assert await requests.answer(request, "built-in") == Later("the authority fails: a curve that nobody knows")
    assert isinstance(await requests.answer(NEW, "built-in"), Refused)
    assert isinstance(await requests.answer(request, "nobody"), Refused)
