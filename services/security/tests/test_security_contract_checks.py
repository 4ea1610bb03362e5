"""What is asked about a contract certificate, and what is said of it then."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from chargebus_security.contracts.domain.chain import Authorities
from chargebus_security.contracts.domain.checks import Policy, Shown, is_told, to_ask, verdict
from chargebus_security.contracts.errors import RefusedContractError
from chargebus_security.inventory.domain.hashes import HashData, hash_data
from chargebus_security.status.domain.asked import Found, Question
from chargebus_testkit.pki import PkiServer
from chargebus_testkit.v2g_pki import V2gPki

NOW = datetime.now(UTC)
EMAID = "DE8AAC123456780"
SERVER = PkiServer(1)
PKI = V2gPki.make(SERVER)
TRUSTED = Authorities([PKI.mobility_root.certificate])
KNOWN = Authorities(TRUSTED.anchors, PKI.mobility.chain())


def names_of(pki):
    """Return how a station names a chain that it has validated itself."""
    path = [pki.contract(EMAID).certificate, *pki.mobility.chain(root=True)]
    return tuple(Question(hash_data(*each), "OCSP", ("http://one/",)) for each in pairwise(path))


NAMED = names_of(PKI)


def found(status, why=""):
    return Found(status, NOW, NOW + timedelta(hours=1), why=why)


def refused(shown, authorities=TRUSTED, policy=Policy()):  # noqa: B008 - a frozen struct
    with pytest.raises(RefusedContractError) as refusal:
        to_ask(shown, authorities, policy, NOW)
    return refusal.value.check.status


def test_C07_FR_05_each_certificate_below_the_root_is_asked_about_by_ocsp_and_else_by_its_list():
    contract = PKI.contract(EMAID)
    links = to_ask(Shown("de-8aa-c12345678", "eMAID", contract.chain(root=True)), TRUSTED, Policy(), NOW)
    path = [contract.certificate, *PKI.mobility.chain(root=True)]
    assert [link.issuer for link in links] == path[1:]
    for link, certificate in zip(links, path, strict=False):
        assert {each.named.key for each in link.ways} == {hash_data(certificate, link.issuer).key}
        assert [each.source for each in link.ways] == ["OCSP", "CRL"]
    assert links[0].ways[0].urls == (SERVER.ocsp_url,)
    assert links[0].ways[1].urls == (SERVER.crl_url(PKI.mobility),)


def test_where_a_certificate_names_no_responder_the_one_is_asked_that_its_station_names():
    quiet = V2gPki.make()
    contract = quiet.contract(EMAID)
    named = hash_data(contract.certificate, quiet.mobility.certificate, "SHA512")
    told = Question(named, "OCSP", ("http://station/",))
    trusted = Authorities([quiet.mobility_root.certificate])
    links = to_ask(Shown(EMAID, "eMAID", contract.chain(), (told,)), trusted, Policy(), NOW)
    assert [[way.urls for way in link.ways] for link in links] == [[("http://station/",)], [], []]


def test_C07_by_hashes_alone_those_are_asked_about_that_the_station_names():
    links = to_ask(Shown(EMAID, "EMAID", "", NAMED), KNOWN, Policy(), NOW)
    assert [link.ways for link in links] == [(each,) for each in NAMED]
    assert [link.issuer for link in links] == PKI.mobility.chain(root=True)


def test_who_stands_above_what_is_named_by_hashes_is_asked_about_too():
    links = to_ask(Shown(EMAID, "eMAID", "", NAMED[:1]), KNOWN, Policy(), NOW)
    assert [link.ways[0].named.key for link in links] == [each.named.key for each in NAMED]
    assert [each.source for each in links[1].ways] == ["OCSP", "CRL"]


@pytest.mark.parametrize("away", ["refuse", "accept"])
def test_hashes_prove_nothing_where_their_issuer_is_not_known_under_a_root_that_is_trusted(away):
    policy, strangers = Policy(away=away), V2gPki.make()
    made_up = Question(HashData("SHA256", "aa", "bb", "1"), "OCSP", ("http://nowhere/",))
    of_others = names_of(strangers)
    no_path = Authorities(TRUSTED.anchors, strangers.mobility.chain(root=True))
    for named, authorities in (((made_up,), KNOWN), (of_others, KNOWN), (of_others, no_path), (NAMED, TRUSTED)):
        assert refused(Shown(EMAID, "eMAID", "", named), authorities, policy) == "CertChainError"
    assert refused(Shown(EMAID, "eMAID", "", (*NAMED, made_up)), KNOWN, policy) == "CertChainError"


def test_hashes_below_an_authority_that_is_over_are_expired():
    with pytest.raises(RefusedContractError) as refusal:
        to_ask(Shown(EMAID, "eMAID", "", NAMED), KNOWN, Policy(), NOW + timedelta(days=400))
    assert refusal.value.check.status == "CertificateExpired"


def test_where_stations_validation_does_not_count_they_have_to_show_the_chain():
    assert refused(Shown(EMAID, "eMAID", "", NAMED), policy=Policy(local=False)) == "NoCertificateAvailable"


@pytest.mark.parametrize("local", [False, True])
def test_who_shows_nothing_is_refused_unless_an_operator_says_so(local):
    assert refused(Shown(EMAID, "eMAID"), policy=Policy(local)) == "NoCertificateAvailable"
    links = to_ask(Shown(EMAID, "eMAID"), TRUSTED, Policy(local, uncertified=True), NOW)
    assert verdict(links, {}, Policy()).status == "Accepted"


def test_what_is_no_contract_is_refused_before_anybody_is_asked():
    chain = PKI.contract(EMAID).chain()
    assert refused(Shown("DE8AAC999999999", "eMAID", chain)) == "CertChainError"
    assert refused(Shown(EMAID, "Central", chain)) == "CertChainError"
    assert refused(Shown(EMAID, "eMAID", "no certificate at all")) == "CertChainError"
    assert refused(Shown(EMAID, "eMAID", chain + "\n" * 10_000)) == "CertChainError"
    assert refused(Shown(EMAID, "eMAID", V2gPki.make().contract(EMAID).chain(root=True))) == "CertChainError"


@pytest.mark.parametrize(
    ("states", "away", "status"),
    [
        (["Good", "Good", "Good"], "refuse", "Accepted"),
        (["Good", "Revoked", "Failed"], "accept", "CertificateRevoked"),
        (["Good", "Unknown", "Good"], "accept", "CertChainError"),
        (["Good", "Failed", "Good"], "refuse", "CertChainError"),
        (["Good", None, "Good"], "refuse", "CertChainError"),
        (["Good", "Failed", None], "accept", "Accepted"),
    ],
)
def test_C07_FR_13_to_17_a_chain_is_as_good_as_the_worst_of_it(states, away, status):
    links = to_ask(Shown(EMAID, "eMAID", "", NAMED), KNOWN, Policy(), NOW)
    known = {each: found(state) for each, state in zip(NAMED, states, strict=True) if state}
    assert verdict(links, known, Policy(away=away)).status == status


def test_a_list_counts_where_the_responder_says_nothing():
    links = to_ask(Shown(EMAID, "eMAID", PKI.contract(EMAID).chain()), TRUSTED, Policy(), NOW)
    for answer, status in (("Good", "Accepted"), ("Revoked", "CertificateRevoked"), ("Failed", "CertChainError")):
        known = {link.ways[0]: found("Failed", "no answer") for link in links}
        known |= {link.ways[1]: found(answer) for link in links}
        assert verdict(links, known, Policy()).status == status
    assert verdict(links, known, Policy()).why == "no answer"


def test_who_is_not_known_is_not_asked_about_again_where_all_have_said_so():
    link = to_ask(Shown(EMAID, "eMAID", PKI.contract(EMAID).chain()), TRUSTED, Policy(), NOW)[0]
    by_ocsp, by_list = link.ways
    assert not is_told(link, {by_ocsp: found("Unknown")})
    assert is_told(link, {by_ocsp: found("Unknown"), by_list: found("Unknown")})
    assert is_told(link, {by_ocsp: found("Unknown"), by_list: found("Good")})
    assert not is_told(link, {})


def test_a_certificate_whose_state_nobody_can_tell_is_not_taken_unless_an_operator_says_so():
    quiet = V2gPki.make()
    trusted = Authorities([quiet.mobility_root.certificate])
    links = to_ask(Shown(EMAID, "eMAID", quiet.contract(EMAID).chain()), trusted, Policy(), NOW)
    assert verdict(links, {}, Policy()).status == "CertChainError"
    assert verdict(links, {}, Policy(away="accept")).status == "Accepted"
