"""Which contract a vehicle gets of those that a pool has for it, and how versions tell it."""

import msgspec
from chargebus_ocppj.schemas import encode_result
from chargebus_security.contracts import v21, v201
from chargebus_security.contracts.domain.provisioning import CertificateRequest, Contract, Provided, provided
from chargebus_security.contracts.routes import longest_contract

ISO2, ISO20 = "urn:iso:15118:2:2013:MsgDef", "urn:iso:std:iso:15118:-20:CommonMessages"
CONTRACTS = [Contract("one", "DE-8AA-C00000001"), Contract("two", "DE8AAC00000002"), Contract("three")]


def asks(most=None, *preferred):
    return CertificateRequest("CS-1", "Install", ISO2 if most is None else ISO20, "EXI", most, preferred)


def test_M01_a_vehicle_of_iso_15118_2_gets_one_contract_whatever_it_got_before():
    assert [provided(asks(), CONTRACTS, before, 100) for before in range(2)] == [Provided("one")] * 2


def test_V2G20_1579_a_vehicle_that_sends_the_same_again_gets_the_next_and_is_told_how_many_are_left():
    given = [provided(asks(8), CONTRACTS, before, 100) for before in range(4)]
    assert [(each.exi, each.remaining) for each in given] == [("one", 2), ("two", 1), ("three", 0), ("one", 2)]


def test_a_vehicle_gets_first_what_it_prefers_and_no_more_than_it_takes():
    request = asks(2, "DE8AAC99999999", "de-8aa-c00000002-7")
    assert [provided(request, CONTRACTS, before, 100) for before in range(2)] == [
        Provided("two", 1),
        Provided("one", 0),
    ]


def test_what_no_message_can_carry_takes_no_turn_of_what_one_can():
    contracts = [Contract("one"), Contract("two" * 9), Contract("three")]
    given = [provided(asks(8), contracts, before, 10) for before in range(2)]
    assert [(each.exi, each.remaining) for each in given] == [("one", 1), ("three", 0)]


def test_a_pool_without_a_contract_is_told_in_words():
    failed = provided(asks(), [], 0, 100)
    assert v201.given(asks(), failed) == {
        "status": "Failed",
        "statusInfo": {
            "reasonCode": "InternalError",
            "additionalInfo": "the pool has no contract for this vehicle",
        },
        "exiResponse": "",
    }


def test_an_answer_that_is_longer_than_the_version_allows_fails_in_words():
    for version, row in (("2.0.1", v201), ("2.1", v21)):
        longest = longest_contract(version)
        of_length = (provided(asks(), [Contract("x" * length)], 0, longest) for length in (longest, longest + 1))
        fits, not_ = (row.given(asks(), each) for each in of_length)
        assert (fits["status"], len(fits["exiResponse"])) == ("Accepted", longest)
        assert (not_["status"], not_["statusInfo"]["reasonCode"]) == ("Failed", "ValueTooLong")
        assert msgspec.json.decode(encode_result(version, "Get15118EVCertificate", not_)) == not_
