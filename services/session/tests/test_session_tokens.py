from datetime import timedelta

import pytest
from chargebus_session.tokens.domain import Judgement, Token, id_token, judge, token_key

MINUTE = timedelta(minutes=1)


def test_C01_FR_07_a_registered_token_is_accepted_with_its_group(noon):
    assert judge(id_token("a"), Token("A", group_id="G"), noon) == Judgement("Accepted", True, "G")


def test_an_unknown_token_is_unknown_and_not_billable(noon):
    assert judge(id_token("a"), None, noon) == Judgement("Unknown")


def test_a_blocked_token_is_blocked_even_when_it_is_expired_too(noon):
    token = Token("A", blocked=True, expires_at=noon - MINUTE)

    assert judge(id_token("a"), token, noon) == Judgement("Blocked", False, "", noon - MINUTE)


@pytest.mark.parametrize(
    ("expires_in", "status"), [(MINUTE, "Accepted"), (timedelta(0), "Expired"), (-MINUTE, "Expired")]
)
def test_a_token_expires_at_its_expiry(noon, expires_in, status):
    assert judge(id_token("a"), Token("A", expires_at=noon + expires_in), noon).status == status


def test_tokens_are_case_insensitive():
    assert id_token("04aBcD").key == id_token("04AbCd").key


def test_C04_FR_01_a_wrong_key_code_is_invalid(noon):
    assert judge(id_token("1234", "KeyCode"), None, noon) == Judgement("Invalid")


def test_a_card_typed_as_a_key_code_does_not_pass(noon):
    card = Token("1234", type="ISO14443")

    assert judge(id_token("1234", "KeyCode"), card, noon) == Judgement("Invalid")


def test_a_type_is_compared_without_case_and_only_where_both_have_one(noon):
    card = Token("1234", type="ISO14443")

    assert judge(id_token("1234", "iso14443"), card, noon).status == "Accepted"
    assert judge(id_token("1234"), card, noon).status == "Accepted"
    assert judge(id_token("1234", "ISO14443"), Token("1234"), noon).status == "Accepted"


def test_C02_FR_02_no_authorization_is_accepted_and_nobody_is_billed(noon):
    assert judge(id_token("", "NoAuthorization"), None, noon) == Judgement("Accepted", billable=False)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Straße", "STRASSE"), ("\ufb01x", "fix"), ("\u212a", "k"), ("\u0130", "i\u0307"), ("MÜLLER", "müller")],
)
def test_two_cards_with_different_letters_are_two(one, other):
    assert token_key(one) != token_key(other)


def test_the_case_of_ascii_does_not_matter():
    assert token_key("Card-ÄZ09") == token_key("cARD-Äz09") == "card-Äz09"
