"""What other services tell of stations, as they put it on Kafka."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def station_id() -> str:
    return f"CS-{uuid4().hex[:8]}"
