import itertools
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from chargebus_events.frames import Frame
from chargebus_session.domain.desk import Desk, Issue, Known
from chargebus_session.domain.tokens import Token

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
def issue() -> Issue:
    sessions, transactions = itertools.count(1), itertools.count(1001)
    return Issue(lambda: f"session-{next(sessions)}", lambda: str(next(transactions)))


@pytest.fixture
def tokens() -> dict[str, Token]:
    """A few registered tokens."""
    return {
        "good": Token("GOOD", group_id="FAMILY"),
        "card": Token("CARD", type="ISO14443"),
        "single": Token("SINGLE", concurrent=False),
        "blocked": Token("BLOCKED", blocked=True),
        "expired": Token("EXPIRED", expires_at=datetime(2025, 5, 31, tzinfo=UTC)),
    }


@pytest.fixture
def desk(issue: Issue, tokens: dict[str, Token]) -> Desk:
    return Desk(Known(tokens=tokens), issue)


@pytest.fixture
def frame() -> Callable[..., Frame]:
    """Make a frame as an edge would: `frame("1.6", "Authorize", b"{…}")`."""
    numbers = itertools.count(1)

    def make(version: str, action: str, payload: bytes, station_id: str = "CS1", at: datetime = NOON) -> Frame:
        number = next(numbers)
        return Frame(station_id, version, action, f"m{number}", 3, 7, number, payload, at)

    return make
