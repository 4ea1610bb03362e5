"""Lists, page by page."""

import base64
from uuid import UUID

import msgspec
import pytest
from chargebus_runtime.http import Listing, PageQuery, Problem

NAMES = Listing("names", str)


def cursor(*parts: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(parts)).decode().rstrip("=")


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        (str, ["", "a", "ä/?", "€" * 100]),
        (int, [0, 7, 2**62]),
        (UUID, [UUID(int=number) for number in range(3)]),
    ],
)
def test_pages_cover_a_list_once(kind, keys):
    listing, seen, after = Listing("list", kind), [], None
    while True:
        key = listing.after(PageQuery(2, after))
        rest = keys if key is None else keys[keys.index(key) + 1 :]
        found = listing.page(rest[:3], 2, lambda row: row)
        seen += found.items
        after = found.next
        if after is None:
            break
    assert seen == keys


def test_a_cursor_needs_no_escape_in_an_address():
    [given] = [NAMES.page(["?>~é", "b"], 1, lambda row: row).next]
    assert given is not None
    assert given.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        "é",
        "a b",
        cursor("names", 5),
        cursor("names"),
        cursor("other", "a"),
        cursor("names", "\0"),
        cursor("names", "a") + "=",
        cursor("names", "a")[:-1],
        base64.urlsafe_b64encode(b'["names", "a"]').decode().rstrip("="),  # other than we write it
    ],
)
def test_a_cursor_that_the_list_did_not_give_is_refused(given):
    with pytest.raises(Problem) as refused:
        NAMES.after(PageQuery(50, given))
    assert (refused.value.status, [error.field for error in refused.value.errors]) == (422, ["query.cursor"])


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_a_number_that_no_database_holds_is_no_cursor(number):
    with pytest.raises(Problem):
        Listing("numbers", int).after(PageQuery(50, cursor("numbers", number)))
