"""One contract, whatever way its eMAID is written."""

import pytest
from chargebus_ocppj.emaids import check_digit, contract_of, spellings

WAYS = ["DE-8AA-C12345678-0", "DE8AAC123456780", "de8aac12345678", "DE-8AA-C12345678"]


@pytest.mark.parametrize(
    ("contract", "digit"),
    [
        ("NN123ABCDEFGHI", "T"),
        ("FRXYZ123456789", "2"),
        ("ITA1B2C3E4F5G6", "4"),
        ("ESZU8WOX834H1D", "R"),
        ("PT73902837ABCZ", "Z"),
        ("DE83DUIEN83QGZ", "D"),
        ("DE83DUIEN83ZGQ", "M"),
        ("DE8AA001234567", "0"),
        ("NLTNM000122045", "U"),
    ],
)
def test_the_check_digit_is_that_of_the_published_examples(contract, digit):
    assert check_digit(contract) == digit


@pytest.mark.parametrize("way", WAYS)
def test_hyphens_case_and_check_digit_do_not_matter(way):
    assert contract_of(way) == "DE8AAC12345678"


def test_whatever_way_a_contract_is_registered_is_among_the_spellings_of_any_other():
    digit = check_digit("DE8AAC12345678")
    ways = ["DE8AAC12345678", "DE-8AA-C12345678", f"DE8AAC12345678{digit}", f"DE-8AA-C12345678-{digit}"]
    assert all(set(ways) == set(spellings(way)) for way in ways)
    assert [spellings(way)[0] for way in ways] == ways


@pytest.mark.parametrize(
    "text", ["", "042A61F28B2C81", "DE-8AAC12345678", "DE8AAC1234567", "DE-8AA-C12345678-00", "DE8AAC1234567\u017f"]
)
def test_what_is_no_emaid_means_only_itself(text):
    assert contract_of(text) == text
    assert spellings(text) == [text]
