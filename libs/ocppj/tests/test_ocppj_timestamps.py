from datetime import UTC, datetime, timedelta, timezone

import pytest
from chargebus_ocppj.timestamps import FIRST, LAST, format_timestamp, parse_timestamp
from hypothesis import given
from hypothesis import strategies as st


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-05-01T12:00:00Z", at(2024, 5, 1, 12)),
        ("2024-05-01t12:00:00z", at(2024, 5, 1, 12)),
        ("2024-05-01 12:00:00Z", at(2024, 5, 1, 12)),
        ("2024-05-01T12:00Z", at(2024, 5, 1, 12)),
        ("2024-05-01T12:00:00", at(2024, 5, 1, 12)),
        ("2024-05-01T12:00:00.5", at(2024, 5, 1, 12, 0, 0, 500_000)),
        ("2024-05-01T12:00:00+02", at(2024, 5, 1, 10)),
        ("2024-05-01T12:00:00+0200", at(2024, 5, 1, 10)),
        ("2024-05-01T12:00:00+02:00", at(2024, 5, 1, 10)),
        ("2024-05-01T12:00:00-05:30", at(2024, 5, 1, 17, 30)),
        ("2024-05-01T12:00:00-00:00", at(2024, 5, 1, 12)),
        ("2024-05-01T12:00:00.123Z", at(2024, 5, 1, 12, 0, 0, 123_000)),
        ("2024-05-01T12:00:00.1234567891234Z", at(2024, 5, 1, 12, 0, 0, 123_456)),
        ("2024-05-01T12:00:00.1234567891234+00:00", at(2024, 5, 1, 12, 0, 0, 123_456)),
        ("2024-05-01T12:00:00,25Z", at(2024, 5, 1, 12, 0, 0, 250_000)),
        ("2024-05-01T12:00:00,25+00", at(2024, 5, 1, 12, 0, 0, 250_000)),
        ("2024-05-01T12:00:00.Z", at(2024, 5, 1, 12)),
        ("2024-05-01T12:00:00.+00", at(2024, 5, 1, 12)),
        ("2024-12-31T23:59:60Z", at(2025, 1, 1)),
        ("2024-12-31T24:00:00Z", at(2025, 1, 1)),
        ("1970-01-01T00:00:00Z", at(1970, 1, 1)),
        ("0001-01-01T00:00:00Z", FIRST),
        ("0001-01-01T00:00:00+01:00", FIRST),
        ("9999-12-31T23:59:59-01:00", LAST),
    ],
)
def test_what_stations_write_is_read(text: str, instant: datetime) -> None:
    assert parse_timestamp(text) == instant
    assert parse_timestamp(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "0",
        "1714564800",
        "2024-05-01",
        "12:00:00",
        "2024-05-01T12",
        "2024-05-01Z",
        "2024-5-1T12:00:00Z",
        "24-05-01T12:00:00Z",
        "01.05.2024 12:00:00",
        "2024-02-30T12:00:00Z",
        "2024-02-30T12:00:00",
        "2024-13-01T12:00:00Z",
        "0000-00-00T00:00:00Z",
        "2024-05-01T25:00:00Z",
        "2024-05-01T24:00:01Z",
        "2024-05-01T12:60:00Z",
        "2024-05-01T12:00:61Z",
        "2024-05-01T12:00:00+24:00",
        "2024-05-01T12:00:00+02:60",
        "2024-05-01T12:00:00+2",
        "2024-05-01T12:00:00 CEST",
        "2024-05-01T12:00:00Z ",
        "2024-05-01T12:00:Z",
        "2024-05-01T12:00:+00:00",
        "2024-05-01T12:00:00 Z",
        "2024-05-01T12:00:00 +00:00",
        "2024-05-01T12:00:006Z",
        "2024-05-01T12:00:00+00:00Z",
        "2024-05-01T12:00:00.1234567x9Z",
        "2024-05-01T12:00:00.1234567x9+00:00",
        "2024-05-01T12:00:00Z\n",
        "2024-05-01T12:00:00+01Z",
        "2024-W18-3T12:00:00Z",
        "\u0662024-05-01T12:00:00Z",
        "2024-05-01T12:00:0\u0660Z",
    ],
)
def test_nonsense_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which of the messages does not matter
        parse_timestamp(text)


@given(st.datetimes(), st.sampled_from(["Z", "z", "", "+00", "+0000", "-00:00"]))
def test_every_notation_of_utc_reads_the_same(naive: datetime, zone: str) -> None:
    assert parse_timestamp(f"{naive.isoformat()}{zone}") == naive.replace(tzinfo=UTC)


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}.{0,8}Z?"))
def test_whatever_comes_is_an_instant_or_a_value_error(text: str) -> None:
    try:
        instant = parse_timestamp(text)
    except ValueError:
        return
    assert instant.tzinfo is UTC


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_we_write_has_milliseconds_and_reads_back(instant: datetime) -> None:
    text = format_timestamp(instant)

    assert len(text) == len("2024-05-01T12:00:00.000Z")
    assert abs(parse_timestamp(text) - instant) < timedelta(milliseconds=1)


def test_what_we_write_is_utc_with_a_z() -> None:
    instant = datetime(2024, 5, 1, 12, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))

    assert format_timestamp(instant) == "2024-05-01T10:00:00.999Z"


def test_a_naive_datetime_is_not_written() -> None:
    with pytest.raises(ValueError, match="time zone"):
        format_timestamp(datetime(2024, 5, 1))  # noqa: DTZ001 - that is the point
