import pytest
from chargebus_ocppj.connectors import CONNECTOR_TYPES, largest_power_w


@pytest.mark.parametrize(
    ("connector_type", "phases", "power_w"),
    [
        ("sType2", 3, 43_650),
        ("sType2", None, 43_650),
        ("sType2", 1, 18_400),
        ("CCCS2", None, 500_000),
        ("cG105", 0, 400_000),
        ("cMCS", None, 3_750_000),
        ("sCEE-7-7", 3, 3_680),
        ("Pan", None, None),
        ("Schuko", None, None),
        ("", None, None),
    ],
)
def test_a_connector_gives_what_its_type_is_made_for(
    connector_type: str, phases: int | None, power_w: float | None
) -> None:
    assert largest_power_w(connector_type, phases) == power_w


def test_every_type_can_give_what_a_household_plug_can() -> None:
    known = [largest_power_w(name, phases) for name in CONNECTOR_TYPES for phases in (1, 3)]
    assert min(power_w for power_w in known if power_w is not None) >= 2_990
