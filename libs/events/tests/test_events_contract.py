"""The data contract in docs tells of every public topic, event and field."""

import re
from pathlib import Path

import msgspec
import pytest
from chargebus_events.public import PUBLIC, PlannedEvse, PlannedNode, Reading
from chargebus_events.topics import DAY_MS, TOPICS

CONTRACT = (Path(__file__).parents[3] / "docs" / "data-contract.md").read_text(encoding="utf-8")
SECTIONS = {section.partition("\n")[0]: section for section in CONTRACT.split("\n## ")}
PARTS = {"readings": Reading, "evses": PlannedEvse, "nodes": PlannedNode}
_SHORT = {"chargebus.session.updated.v1": ".updated.v1", "chargebus.session.ended.v1": ".ended.v1"}


def section_of(kind: str) -> str:
    (section,) = [text for title, text in SECTIONS.items() if _SHORT.get(kind, kind) in title]
    return section


def documented(section: str) -> set[str]:
    """The fields in the first column of a section's tables."""
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize("kind", PUBLIC)
def test_every_field_of_an_event_is_documented_and_no_other(kind):
    fields = {field.name for field in msgspec.structs.fields(PUBLIC[kind])}
    for part in fields & PARTS.keys():
        fields |= {field.name for field in msgspec.structs.fields(PARTS[part])}

    assert documented(section_of(kind)) == fields


def test_every_public_topic_is_documented_with_its_partitions_and_retention():
    public = [topic for topic in TOPICS.values() if topic.public]

    assert all(f"| `{topic.name}` |" in CONTRACT for topic in public)
    assert {topic.partitions for topic in public} == {12}
    assert {topic.retention_ms for topic in public} == {90 * DAY_MS}
    assert "kept for 90 days, in 12 partitions" in CONTRACT
