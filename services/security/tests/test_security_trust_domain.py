"""Which roots stations are to have, what is done next about it, and what is never deleted: plain values."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from chargebus_certificates.anchors import issuers_told
from chargebus_certificates.names import name_of
from chargebus_security.inventory.domain.certificate import Certificate
from chargebus_security.inventory.domain.hashes import HashData, hash_data
from chargebus_security.stations.domain import Description, Make, Station
from chargebus_security.trust.domain import station as domain
from chargebus_security.trust.domain.policy import Policy, Selector, wanted
from chargebus_security.trust.domain.station import (
    Change,
    Delete,
    Facts,
    Install,
    Installed,
    Report,
    TrustStation,
    compare,
    next_step,
    protection,
)
from chargebus_testkit.pki import Authority, pem
from cryptography.hazmat.primitives import hashes

EDGES = Authority.root("edges")
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CSMS, V2G = "CSMSRootCertificate", "V2GRootCertificate"
KNOWN = TrustStation(station_id="CS-1", reported_at=NOW - HOUR)


def named(number):
    return HashData("SHA256", "aa" * 32, "bb" * 32, f"{number}")


def certificate(number, **more):
    usual = {"not_before": NOW - HOUR, "not_after": NOW + HOUR, "hash_keys": (named(number).key,), "pem": "x"}
    return Certificate(certificate_id=f"c{number}", source="uploaded", added_at=NOW, **(usual | more))


def policy(number, *certificate_ids, kind=CSMS, **more):
    return Policy(
        policy_id=UUID(int=number),
        name=f"policy {number}",
        certificate_type=kind,
        certificate_ids=certificate_ids,
        created_at=NOW + timedelta(seconds=number),
        **more,
    )


def facts(has=(), wants=(), changes=(), certificates=None):
    """Return facts of a station that has (type, number)s."""
    certificates = [certificate(n) for n in range(1, 6)] if certificates is None else certificates
    by_key = {key: each for each in certificates for key in each.hash_keys}
    installed = [Installed(kind, named(number)) for kind, number in has]
    meant = {each.certificate_type: each for each in wants}
    return Facts(meant, installed, changes, by_key, {each.certificate_id: each for each in certificates})


def verdicts(found):
    return {(each.certificate_type, each.certificate_id): each.verdict for each in compare(found, NOW)}


def tried(certificate_id, what="install", **more):
    usual = {"certificate_type": CSMS, "certificate_id": certificate_id, "what": what, "changed_at": NOW}
    return Change(**(usual | more))


def test_of_several_policies_the_highest_counts_then_the_narrowest_then_the_oldest():
    station = Station("CS-1", make=Make("Acme", "One"), described=Description(labels={"site": "port"}))
    everybody = policy(1, "c1")
    acme = policy(2, "c2", stations=Selector(vendor="Acme"))
    port = policy(3, "c3", stations=Selector(vendor="Acme", labels={"site": "port"}))
    younger = policy(4, "c4", stations=Selector(vendor="Acme", labels={"site": "port"}))
    named_one = policy(5, "c5", stations=Selector(station_ids=("CS-1",)))
    urgent = policy(6, "c1", priority=1)
    elsewhere = policy(7, "c5", priority=9, stations=Selector(labels={"site": "hill"}))
    v2g = policy(8, "c5", kind=V2G)

    def counts(*policies):
        return {kind: each.policy_id.int for kind, each in wanted(policies, station).items()}

    assert counts(everybody, acme, v2g) == {CSMS: 2, V2G: 8}
    assert counts(port, acme, everybody, elsewhere) == {CSMS: 3}
    assert counts(younger, port) == {CSMS: 3}
    assert counts(port, named_one) == {CSMS: 5}
    assert counts(named_one, urgent) == {CSMS: 6}
    assert counts(elsewhere) == {}


def test_what_a_station_has_is_compared_with_what_is_wanted_type_by_type():
    found = facts([(CSMS, 1), (CSMS, 2), (V2G, 3)], [policy(1, "c1", "c4", others="delete")])
    assert verdicts(found) == {
        (CSMS, "c1"): "as wanted",
        (CSMS, "c2"): "not wanted",
        (CSMS, "c4"): "missing",
        (V2G, "c3"): "other",
    }


def test_the_last_root_for_the_csms_that_works_is_never_deleted():
    wants = [policy(1, others="delete")]
    assert verdicts(facts([(CSMS, 1)], wants)) == {(CSMS, "c1"): "kept"}
    over = certificate(2, not_after=NOW - HOUR)
    stranger = certificate(3, pem="", not_before=None, not_after=None)
    found = facts([(CSMS, 1), (CSMS, 2), (CSMS, 3)], wants, certificates=[certificate(1), over, stranger])
    assert verdicts(found)[CSMS, "c1"] == "kept"
    assert verdicts(found)[CSMS, "c2"] == "not wanted"


@pytest.mark.parametrize("gone", [{}, {"outcome": "accepted", "told": "Accepted"}, {"told": "no answer"}])
def test_a_root_whose_deletion_is_under_way_or_not_seen_yet_is_none_that_is_left(gone):
    wants, has = [policy(1, others="delete")], [(CSMS, 1), (CSMS, 2)]
    assert verdicts(facts(has, wants, [tried("c1", "delete", **gone)]))[CSMS, "c2"] == "kept"
    assert verdicts(facts(has, wants, [tried("c1", "delete", outcome="refused")]))[CSMS, "c2"] == "not wanted"
    assert verdicts(facts(has, wants, [tried("c1", "delete", retry_at=NOW)]))[CSMS, "c2"] == "not wanted"
    other = facts([*has, (V2G, 1)], wants, [tried("c1", "delete", certificate_type=V2G, **gone)])
    assert verdicts(other)[CSMS, "c2"] == "kept"


def test_after_each_deletion_a_station_is_asked_what_it_has():
    wants = [policy(1, others="delete")]
    station = KNOWN
    found = facts([(CSMS, 1), (CSMS, 2), (CSMS, 3)], wants)
    station, action = next_step(station, found, NOW)
    assert action == Delete(CSMS, "c1", named(1))
    station, change = domain.told(station, tried("c1", "delete"), "accepted", "Accepted", NOW)
    assert next_step(station, facts([(CSMS, 1), (CSMS, 2), (CSMS, 3)], wants, [change]), NOW)[1] == Report()


def test_a_deletion_of_which_nothing_was_heard_may_have_been_done_until_the_station_tells():
    station, change = domain.told(KNOWN, tried("c1", "delete"), "unknown", "no answer", NOW)
    assert (station.report_at, change.may_be_gone) == (NOW, True)
    assert domain.seen([change], set(), NOW) == []
    [left] = domain.seen([change], {(CSMS, "c1")}, NOW)
    assert (left.outcome, left.told) == ("refused", "no answer, and it has not done it")
    under_way = tried("c1", "delete", certificate_type="")
    assert domain.seen([under_way], {(CSMS, "c1")}, NOW) == [under_way]


def test_a_certificate_under_two_types_is_one_since_stations_delete_by_its_hashes():
    wants = [policy(1, kind=V2G, others="delete")]
    found = facts([(CSMS, 1), (V2G, 1), (V2G, 2)], wants)
    assert verdicts(found) == {(CSMS, "c1"): "other", (V2G, "c1"): "kept", (V2G, "c2"): "not wanted"}
    assert verdicts(facts([(CSMS, 1), (V2G, 1), (CSMS, 2)], wants))[V2G, "c1"] == "not wanted"
    wanted_elsewhere = facts([(CSMS, 1), (V2G, 1), (CSMS, 2)], [*wants, policy(2, "c1")])
    assert verdicts(wanted_elsewhere)[V2G, "c1"] == "kept"


@pytest.mark.parametrize("is_uploaded", [True, False])
def test_a_root_under_which_an_edge_stands_is_never_deleted_and_another_of_its_name_is(is_uploaded):
    sub = EDGES.sub("edges' issuing CA")
    told = issuers_told([sub.leaf("csms.example.com").certificate, sub.certificate])
    names = {1: EDGES, 2: Authority.root("edges") if is_uploaded else Authority.root("others")}
    known = [certificate(3)]
    has = [Installed(CSMS, named(3))]
    for number, root in names.items():
        data = hash_data(root.certificate, root.certificate)
        text = pem(root.certificate) if is_uploaded else ""
        known.append(certificate(number, pem=text, hash_keys=(data.key,)))
        has.append(Installed(CSMS, data))
    if not is_uploaded:
        known = known[:1]
    found = msgspec.structs.replace(facts(certificates=known), installed=has, issuers=told)
    assert "an edge" in protection(has[1], found, NOW)
    assert not protection(has[2], found, NOW)
    assert not protection(has[1], msgspec.structs.replace(found, issuers=()), NOW)


@pytest.mark.parametrize("algorithm", [hashes.SHA384(), hashes.SHA512()], ids=lambda each: each.name.upper())
def test_a_root_of_edges_that_is_known_by_a_hash_of_another_kind_alone_is_never_deleted(algorithm):
    told = issuers_told([EDGES.leaf("csms.example.com").certificate])
    issuer = name_of(EDGES.certificate, EDGES.certificate, algorithm).issuer
    data = HashData(algorithm.name.upper(), issuer.name_hash.hex(), issuer.key_hash.hex(), "1")
    has = Installed(V2G, data)

    assert "an edge" in protection(has, msgspec.structs.replace(facts(), installed=[has], issuers=told), NOW)


@pytest.mark.parametrize("kind", [CSMS, V2G])
def test_what_is_in_use_is_never_deleted(kind):
    used = certificate(1, in_use=True)
    found = facts(
        [(kind, 1), (kind, 2)], [policy(1, "c2", kind=kind, others="delete")], certificates=[used, certificate(2)]
    )
    assert verdicts(found)[kind, "c1"] == "kept"
    assert "in use" in protection(Installed(kind, named(1)), found, NOW)


def test_a_station_is_asked_what_it_has_before_anything_else_and_once():
    new = TrustStation(station_id="CS-1")
    after, action = next_step(new, facts(wants=[policy(1, "c1")]), NOW)
    assert (action, after.asking) == (Report(), "report")
    assert next_step(after, facts(wants=[policy(1, "c1")]), NOW)[1] is None
    assert next_step(new, facts(), NOW)[1] is None


def test_what_is_missing_is_installed_and_only_then_is_deleted_what_is_not_wanted_and_then_it_is_asked():
    wants = [policy(1, "c1", others="delete")]
    after, action = next_step(KNOWN, facts([(CSMS, 2)], wants), NOW)
    assert isinstance(action, Install)
    assert (action.certificate.certificate_id, after.drift) == ("c1", 1)

    accepted = tried("c1", outcome="accepted", told="Accepted", tries=1)
    assert next_step(KNOWN, facts([(CSMS, 2)], wants, [accepted]), NOW)[1] == Report()

    _, action = next_step(KNOWN, facts([(CSMS, 1), (CSMS, 2)], wants), NOW)
    assert action == Delete(CSMS, "c2", named(2))

    after, action = next_step(KNOWN, facts([(CSMS, 1)], wants), NOW)
    assert (action, after.drift, after.due_at) == (None, 0, None)


def test_what_a_station_refuses_is_tried_again_after_longer_and_longer_pauses():
    station, change = msgspec.structs.replace(KNOWN, asking="install"), tried("c1")
    pauses = []
    for _ in range(10):
        station, change = domain.told(station, change, "refused", "Rejected", NOW)
        pauses.append(change.retry_at - NOW)
        after, action = next_step(station, facts(wants=[policy(1, "c1")], changes=[change]), NOW)
        assert (action, after.due_at, after.drift) == (None, change.retry_at, 1)
        assert next_step(station, facts(wants=[policy(1, "c1")], changes=[change]), change.retry_at)[1] is not None
    assert pauses[:3] == [timedelta(minutes=10), timedelta(minutes=20), timedelta(minutes=40)]
    assert pauses[-1] == timedelta(days=1)


def test_what_it_has_counts_more_than_what_it_said():
    said = tried("c1", outcome="accepted", told="Accepted", tries=1)
    done = domain.seen([said], {(CSMS, "c1")}, NOW)
    assert done == []
    [left] = domain.seen([said], set(), NOW)
    assert (left.outcome, left.told, left.retry_at) == (
        "refused",
        "Accepted, and it has not done it",
        NOW + timedelta(minutes=10),
    )
    assert domain.seen([tried("c1", "delete", outcome="accepted")], set(), NOW) == []


def test_who_is_away_is_asked_when_it_is_back_and_who_cannot_is_asked_after_a_boot():
    asked = msgspec.structs.replace(KNOWN, asking="report", pending=1)
    away = domain.not_reported(asked, "away", "offline", NOW)
    assert away.due_at is None
    assert domain.back(away, NOW, None).due_at == NOW
    unable = domain.not_reported(asked, "unsupported", "NotImplemented", NOW)
    assert next_step(domain.back(unable, NOW, None), facts(wants=[policy(1, "c1")]), NOW)[1] is None
    booted = domain.back(unable, NOW, HOUR)
    assert (booted.is_able, booted.report_at, booted.due_at) == (True, NOW + HOUR, NOW + HOUR)
    assert next_step(booted, facts(wants=[policy(1, "c1")]), NOW + HOUR)[1] == Report()


def test_a_station_that_has_told_is_asked_again_in_its_time():
    told = domain.reported(msgspec.structs.replace(KNOWN, asking="report", pending=1), NOW, 24 * HOUR)
    after, action = next_step(told, facts(), NOW)
    assert (action, after.due_at) == (None, NOW + 24 * HOUR)
    assert next_step(after, facts(), NOW + 24 * HOUR)[1] == Report()
