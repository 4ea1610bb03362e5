import math
from decimal import Decimal

import pytest
from chargebus_metering.domain.units import MAX_EXPONENT, Unit, to_base, unit_of
from hypothesis import given
from hypothesis import strategies as st

ENERGY = "Energy.Active.Import.Register"


@pytest.mark.parametrize(
    ("spelling", "number", "base", "value"),
    [
        ("Wh", "1234", "Wh", 1234.0),
        ("kWh", "12.345", "Wh", 12345.0),
        ("kWh", "1.005", "Wh", 1005.0),  # 1.005 * 1000 is 1004.9999999999999 in binary
        ("MWh", "2", "Wh", 2_000_000.0),
        ("mWh", "2", "Wh", 0.002),
        ("KWH", "3", "Wh", 3000.0),
        ("kW", "7.4", "W", 7400.0),
        ("W", "-250", "W", -250.0),
        ("mA", "16000", "A", 16.0),
        ("kvarh", "0.5", "varh", 500.0),
        ("kvar", "0.5", "var", 500.0),
        ("VAr", "1", "var", 1.0),
        ("kVA", "11", "VA", 11000.0),
        ("kVAh", "1", "VAh", 1000.0),
        ("Hertz", "50.02", "Hz", 50.02),
        ("Percent", "80", "percent", 80.0),
        ("Celsius", "21.5", "celsius", 21.5),
        ("Celcius", "21.5", "celsius", 21.5),
        ("K", "273.15", "celsius", 0.0),
        ("Fahrenheit", "212", "celsius", 100.0),
        ("Fahrenheit", "-40", "celsius", -40.0),
        ("ASU", "17", "ASU", 17.0),
    ],
)
def test_a_value_is_told_in_the_base_unit_of_its_unit(spelling, number, base, value):
    unit = unit_of(spelling, ENERGY)
    assert (unit.base, to_base(number, unit)) == (base, value)


@pytest.mark.parametrize(
    ("measurand", "base"),
    [
        ("Energy.Active.Import.Register", "Wh"),
        ("Energy.Active.Import.LocalGeneration.Register", "Wh"),
        ("Energy.Reactive.Export.Interval", "varh"),
        ("Energy.Apparent.Net", "VAh"),
        ("Power.Active.Import", "W"),
        ("Power.Reactive.Import", "var"),
        ("Power.Factor", ""),
        ("Power.Offered", "W"),
        ("Current.Import.Offered", "A"),
        ("Voltage.Maximum", "V"),
        ("Frequency", "Hz"),
        ("Temperature", "celsius"),
        ("SoC", "percent"),
        ("RPM", "rpm"),
        ("Display.TargetSOC", "percent"),
        ("Display.RemainingTimeToTargetSOC", "s"),
        ("Display.InletHot", ""),
        ("EnergyRequest.Minimum.V2X", "Wh"),
        ("Nothing.We.Know", ""),
    ],
)
def test_a_value_without_a_unit_is_in_its_measurands_natural_unit(measurand, base):
    assert unit_of("", measurand) == Unit(base)


@pytest.mark.parametrize(
    "number",
    ["", " ", "NaN", "nan", "inf", "-Infinity", "1_000", "12,5", "0x1F", "1e999", "٣", "1 2", "--1", "12.5 kWh"],
)
def test_what_is_no_finite_number_has_no_value(number):
    assert to_base(number, Unit("Wh")) is None
    assert to_base(number, Unit("Wh", 3)) is None


@pytest.mark.parametrize(
    ("number", "value"), [(" 12.5 ", 12.5), ("+3", 3.0), (".5", 0.5), ("5.", 5.0), ("1.2E3", 1200.0)]
)
def test_numbers_are_read_as_liberally_as_they_are_clear(number, value):
    assert to_base(number, Unit("Wh")) == value
    assert to_base(number, Unit("W", 3)) == value * 1000


@pytest.mark.parametrize(("multiplier", "value"), [(0, 5.0), (3, 5000.0), (-3, 0.005), (6, 5e6)])
def test_the_multiplier_is_a_power_of_ten(multiplier, value):
    assert to_base("5", Unit("Wh"), multiplier) == value


def test_multiplier_and_prefix_add_up():
    assert to_base("5", unit_of("kWh", ENERGY), -3) == 5.0


@pytest.mark.parametrize("multiplier", [MAX_EXPONENT + 1, -MAX_EXPONENT - 1, 10**18, -(10**18)])
def test_an_absurd_multiplier_gives_no_value_and_costs_no_time(multiplier):
    assert to_base("5", Unit("Wh"), multiplier) is None


def test_an_exponent_that_decimals_cannot_hold_gives_no_value():
    assert to_base("1e999999999999999999", Unit("Wh", 3)) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_base_unit_value_is_read_back_exactly(number):
    assert to_base(repr(number), Unit("W")) == number


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=3), st.sampled_from(["kWh", "kW", "kvar", "kVA", "kV"]))
def test_kilo_is_a_thousand_to_the_last_digit(number, spelling):
    assert to_base(str(number), unit_of(spelling, ENERGY)) == float(number * 1000)


@given(st.text())
def test_any_text_is_a_finite_number_or_none(text):
    value = to_base(text, Unit("Wh"), 3)
    assert value is None or math.isfinite(value)


@given(st.decimals(min_value=-200, max_value=2000, places=2))
def test_temperatures_agree_over_their_units(celsius):
    kelvin = to_base(str(celsius + Decimal("273.15")), unit_of("K", "Temperature"))
    fahrenheit = to_base(str(celsius * Decimal("1.8") + 32), unit_of("Fahrenheit", "Temperature"))
    assert kelvin == pytest.approx(float(celsius))
    assert fahrenheit == pytest.approx(float(celsius))
