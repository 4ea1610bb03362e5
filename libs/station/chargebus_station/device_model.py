"""The variables of a station, by the address that the CSMS knows them by; 1.6 keys are variables of no component."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Mutability(StrEnum):
    """Who may read and write a variable."""

    READ_ONLY = "ReadOnly"
    WRITE_ONLY = "WriteOnly"
    READ_WRITE = "ReadWrite"


class DataType(StrEnum):
    """What a variable's value looks like."""

    STRING = "string"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    OPTION_LIST = "OptionList"
    MEMBER_LIST = "MemberList"


class Takes(StrEnum):
    """When a new value takes effect."""

    AT_ONCE = "at once"
    AFTER_REBOOT = "after a reboot"


class VariableStatus(StrEnum):
    """What became of reading or writing a variable.

    Spec: OCPP 2.0.1 GetVariableStatusEnumType, SetVariableStatusEnumType
    """

    ACCEPTED = "Accepted"
    REJECTED = "Rejected"
    UNKNOWN_COMPONENT = "UnknownComponent"
    UNKNOWN_VARIABLE = "UnknownVariable"
    REBOOT_REQUIRED = "RebootRequired"


@dataclass(frozen=True, order=True)
class VariableAddress:
    """Where a variable lives; instances and EVSE are empty or 0 where there is none."""

    component: str
    variable: str
    evse_id: int = 0
    connector_id: int = 0
    component_instance: str = ""
    variable_instance: str = ""


@dataclass(frozen=True)
class Variable:
    """A variable with its value as text; `allowed` lists the options of list types."""

    value: str
    data_type: DataType = DataType.STRING
    mutability: Mutability = Mutability.READ_WRITE
    unit: str = ""
    allowed: tuple[str, ...] = ()
    minimum: float = -math.inf
    maximum: float = math.inf
    takes: Takes = Takes.AT_ONCE

    def accepts(self, text: str) -> bool:
        """Whether the text is a value of this variable. Spec: OCPP 2.0.1 B05.FR.07, B05.FR.08."""
        if self.data_type in {DataType.INTEGER, DataType.DECIMAL}:
            number = _number(text, self.data_type)
            return number is not None and self.minimum <= number <= self.maximum
        if self.data_type is DataType.BOOLEAN:
            return text.lower() in {"true", "false"}
        if self.data_type is DataType.OPTION_LIST:
            return text in self.allowed
        if self.data_type is DataType.MEMBER_LIST:
            return all(word in self.allowed for word in split(text))
        return True


class DeviceModel:
    """All variables of one station.

    Names are case-insensitive. Spec: OCPP 1.6 7.5 (CiString); OCPP 2.0.1 Part 2, 2.1.3 (identifierString)
    """

    def __init__(self, variables: Mapping[VariableAddress, Variable]) -> None:
        self._variables = dict(variables)
        self._spelled = {_folded(address): address for address in variables}
        self._components = {_component(_folded(address)) for address in variables}

    def read(self, address: VariableAddress) -> tuple[VariableStatus, str]:
        """Return the value that the CSMS may see, or why it may not. Spec: OCPP 2.0.1 B06.FR.06 to FR.09."""
        variable = self.get(address)
        if variable is None:
            return self._unknown(address), ""
        if variable.mutability is Mutability.WRITE_ONLY:
            return VariableStatus.REJECTED, ""
        return VariableStatus.ACCEPTED, variable.value

    def write(self, address: VariableAddress, text: str) -> VariableStatus:
        """Let the CSMS set a value, if it may. Spec: OCPP 2.0.1 B05.FR.04 to FR.10; OCPP 1.6 5.3."""
        variable = self.get(address)
        if variable is None:
            return self._unknown(address)
        if variable.mutability is Mutability.READ_ONLY or not variable.accepts(text):
            return VariableStatus.REJECTED
        self.put(address, text)
        return VariableStatus.REBOOT_REQUIRED if variable.takes is Takes.AFTER_REBOOT else VariableStatus.ACCEPTED

    def put(self, address: VariableAddress, text: str) -> None:
        """Set the value of a known variable, as the station itself does, whoever may write it."""
        address = self._spelled[_folded(address)]
        self._variables[address] = replace(self._variables[address], value=text)

    def lock(self, address: VariableAddress) -> None:
        """Let the CSMS set a known variable no more."""
        address = self._spelled[_folded(address)]
        self._variables[address] = replace(self._variables[address], mutability=Mutability.READ_ONLY)

    def value(self, address: VariableAddress) -> str:
        """Return the value of a known variable, as the station itself sees it."""
        return self._variables[address].value

    def get(self, address: VariableAddress) -> Variable | None:
        """Return a variable with all that is known of it."""
        spelled = self._spelled.get(_folded(address))
        return None if spelled is None else self._variables[spelled]

    def items(self) -> Iterator[tuple[VariableAddress, Variable]]:
        """Yield all variables in a stable order."""
        return iter(sorted(self._variables.items(), key=lambda item: item[0]))

    def _unknown(self, address: VariableAddress) -> VariableStatus:
        known = _component(_folded(address)) in self._components
        return VariableStatus.UNKNOWN_VARIABLE if known else VariableStatus.UNKNOWN_COMPONENT


def _folded(address: VariableAddress) -> VariableAddress:
    return replace(
        address,
        component=address.component.casefold(),
        variable=address.variable.casefold(),
        component_instance=address.component_instance.casefold(),
        variable_instance=address.variable_instance.casefold(),
    )


def split(text: str) -> list[str]:
    """Return the members of a comma-separated value."""
    return [word for part in text.split(",") if (word := part.strip())]


def _component(address: VariableAddress) -> tuple[str, str, int, int]:
    return address.component, address.component_instance, address.evse_id, address.connector_id


def _number(text: str, data_type: DataType) -> float | None:
    try:
        return float(int(text)) if data_type is DataType.INTEGER else float(text)
    except ValueError:
        return None


class Setting(StrEnum):
    """What the station itself goes by; each version has an address for most of it."""

    HEARTBEAT_INTERVAL_S = "heartbeat interval"
    SAMPLE_INTERVAL_S = "sample interval"
    SAMPLED_MEASURANDS = "sampled measurands"
    STARTED_MEASURANDS = "measurands of the start message"
    STOP_MEASURANDS = "measurands of the stop message"
    MESSAGE_ATTEMPTS = "message attempts"
    MESSAGE_RETRY_S = "message retry interval"
    START_POINT = "transaction start point"
    STOP_POINT = "transaction stop point"
    STOP_ON_INVALID_ID = "stop on invalid id"
    AUTHORIZE_REMOTE_START = "authorize remote start"
    OFFLINE_UNKNOWN_ID = "offline transaction for unknown id"
    CONNECTION_TIMEOUT_S = "connection time-out"
    OFFLINE_THRESHOLD_S = "offline threshold"
    PASSWORD = "basic auth password"  # noqa: S105  the name of a variable
    SECURITY_PROFILE = "security profile"
    NETWORK_PRIORITY = "order of networks"
    SMART_CHARGING_ENABLED = "smart charging"
    MAX_STACK_LEVEL = "highest stack level"
    RATE_UNITS = "units of limits"
    MAX_PERIODS = "periods per schedule"
    MAX_PROFILES = "most charging profiles"
    PROFILES_HELD = "charging profiles that are held"
    EXTERNAL_IDS_TO = "highest id of a profile of somebody else"
    SWITCHES_PHASES = "switches between three phases and one"
    LIMIT_SIGNIFICANCE_PERCENT = "change of a limit that is told"
    LIMITS_WITH_SCHEDULES = "limits are told with their schedules"


_DEFAULTS: Final[Mapping[Setting, str]] = {
    Setting.HEARTBEAT_INTERVAL_S: "300",
    Setting.SAMPLE_INTERVAL_S: "60",
    Setting.SAMPLED_MEASURANDS: "Energy.Active.Import.Register",
    Setting.STARTED_MEASURANDS: "",
    Setting.STOP_MEASURANDS: "",
    Setting.MESSAGE_ATTEMPTS: "3",
    Setting.MESSAGE_RETRY_S: "60",
    Setting.START_POINT: "PowerPathClosed",
    Setting.STOP_POINT: "PowerPathClosed",
    Setting.STOP_ON_INVALID_ID: "true",
    Setting.AUTHORIZE_REMOTE_START: "false",
    Setting.OFFLINE_UNKNOWN_ID: "false",
    Setting.CONNECTION_TIMEOUT_S: "120",
    Setting.OFFLINE_THRESHOLD_S: "600",
    Setting.PASSWORD: "",
    Setting.SECURITY_PROFILE: "1",
    Setting.NETWORK_PRIORITY: "",
    Setting.SMART_CHARGING_ENABLED: "true",
    Setting.MAX_STACK_LEVEL: "10",
    Setting.RATE_UNITS: "A,W",
    Setting.MAX_PERIODS: "24",
    Setting.MAX_PROFILES: "10",
    Setting.PROFILES_HELD: "0",
    Setting.SWITCHES_PHASES: "false",
    Setting.EXTERNAL_IDS_TO: "",
    Setting.LIMIT_SIGNIFICANCE_PERCENT: "1",
    Setting.LIMITS_WITH_SCHEDULES: "false",
}


@dataclass(frozen=True)
class Settings:
    """A typed look at the variables that the station goes by; what a version does not know has a fixed value."""

    device: DeviceModel
    addresses: Mapping[Setting, VariableAddress]

    def most(self, setting: Setting) -> float:
        """Return the highest value that the variable can have, where it counts something; else the value itself."""
        address = self.addresses.get(setting)
        variable = None if address is None else self.device.get(address)
        return self.number(setting) if variable is None or math.isinf(variable.maximum) else variable.maximum

    def text(self, setting: Setting) -> str:
        """Return the value as it stands."""
        address = self.addresses.get(setting)
        return _DEFAULTS[setting] if address is None else self.device.value(address)

    def number(self, setting: Setting) -> int:
        """Return the value of an integer."""
        return int(self.text(setting))

    def flag(self, setting: Setting) -> bool:
        """Return the value of a boolean."""
        return self.text(setting).lower() == "true"

    def words(self, setting: Setting) -> list[str]:
        """Return the members of a list."""
        return split(self.text(setting))

    def put(self, setting: Setting, text: str) -> None:
        """Set the value, if this version has a variable for it."""
        if (address := self.addresses.get(setting)) is not None:
            self.device.put(address, text)


def table(component: str, variables: Iterable[tuple[str, Variable]]) -> dict[VariableAddress, Variable]:
    """Return variables of one component by address, for writing a device model down."""
    return {VariableAddress(component, name): variable for name, variable in variables}
