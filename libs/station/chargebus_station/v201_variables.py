"""OCPP 2.x: the device model of a new station."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from chargebus_station import displays
from chargebus_station.charging import Outlet
from chargebus_station.charging_habits import units
from chargebus_station.config import StationConfig
from chargebus_station.device_model import DataType, Mutability, Setting, Variable, VariableAddress, table

MEASURANDS: Final = (
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "Current.Import",
    "Voltage",
    "SoC",
)

MOST_PROFILES: Final = 20

POINTS: Final = ("EVConnected", "Authorized", "PowerPathClosed", "EnergyTransfer", "ParkingBayOccupancy", "DataSigned")

ADDRESSES: Final[Mapping[Setting, VariableAddress]] = {
    Setting.HEARTBEAT_INTERVAL_S: VariableAddress("OCPPCommCtrlr", "HeartbeatInterval"),
    Setting.OFFLINE_THRESHOLD_S: VariableAddress("OCPPCommCtrlr", "OfflineThreshold"),
    Setting.MESSAGE_ATTEMPTS: VariableAddress("OCPPCommCtrlr", "MessageAttempts", variable_instance="TransactionEvent"),
    Setting.MESSAGE_RETRY_S: VariableAddress(
        "OCPPCommCtrlr", "MessageAttemptInterval", variable_instance="TransactionEvent"
    ),
    Setting.SAMPLE_INTERVAL_S: VariableAddress("SampledDataCtrlr", "TxUpdatedInterval"),
    Setting.SAMPLED_MEASURANDS: VariableAddress("SampledDataCtrlr", "TxUpdatedMeasurands"),
    Setting.STARTED_MEASURANDS: VariableAddress("SampledDataCtrlr", "TxStartedMeasurands"),
    Setting.STOP_MEASURANDS: VariableAddress("SampledDataCtrlr", "TxEndedMeasurands"),
    Setting.START_POINT: VariableAddress("TxCtrlr", "TxStartPoint"),
    Setting.STOP_POINT: VariableAddress("TxCtrlr", "TxStopPoint"),
    Setting.STOP_ON_INVALID_ID: VariableAddress("TxCtrlr", "StopTxOnInvalidId"),
    Setting.CONNECTION_TIMEOUT_S: VariableAddress("TxCtrlr", "EVConnectionTimeOut"),
    Setting.AUTHORIZE_REMOTE_START: VariableAddress("AuthCtrlr", "AuthorizeRemoteStart"),
    Setting.OFFLINE_UNKNOWN_ID: VariableAddress("AuthCtrlr", "OfflineTxForUnknownIdEnabled"),
    Setting.PASSWORD: VariableAddress("SecurityCtrlr", "BasicAuthPassword"),
    Setting.SECURITY_PROFILE: VariableAddress("SecurityCtrlr", "SecurityProfile"),
    Setting.NETWORK_PRIORITY: VariableAddress("OCPPCommCtrlr", "NetworkConfigurationPriority"),
    Setting.SMART_CHARGING_ENABLED: VariableAddress("SmartChargingCtrlr", "Enabled"),
    Setting.MAX_STACK_LEVEL: VariableAddress("SmartChargingCtrlr", "ProfileStackLevel"),
    Setting.RATE_UNITS: VariableAddress("SmartChargingCtrlr", "RateUnit"),
    Setting.MAX_PERIODS: VariableAddress("SmartChargingCtrlr", "PeriodsPerSchedule"),
    Setting.MAX_PROFILES: VariableAddress("SmartChargingCtrlr", "Entries", variable_instance="ChargingProfiles"),
    Setting.PROFILES_HELD: VariableAddress("SmartChargingCtrlr", "Entries", variable_instance="ChargingProfiles"),
    Setting.SWITCHES_PHASES: VariableAddress("SmartChargingCtrlr", "ACPhaseSwitchingSupported"),
    Setting.LIMIT_SIGNIFICANCE_PERCENT: VariableAddress("SmartChargingCtrlr", "LimitChangeSignificance"),
    Setting.LIMITS_WITH_SCHEDULES: VariableAddress("SmartChargingCtrlr", "NotifyChargingLimitWithSchedules"),
}


def seconds(value: str) -> Variable:
    """Return a duration that can be set."""
    return Variable(value, DataType.INTEGER, unit="s", minimum=0)


def flag(value: str) -> Variable:
    """Return a switch that can be set."""
    return Variable(value, DataType.BOOLEAN)


def fixed(value: str, data_type: DataType = DataType.STRING, unit: str = "") -> Variable:
    """Return a fact."""
    return Variable(value, data_type, Mutability.READ_ONLY, unit)


def members(value: str, allowed: tuple[str, ...]) -> Variable:
    """Return a list of which any part may be set."""
    return Variable(value, DataType.MEMBER_LIST, allowed=allowed)


def station_variables(config: StationConfig) -> dict[VariableAddress, Variable]:
    """Return the variables of a station of this make. Spec: OCPP 2.0.1 Part 2 appendix 3, referenced components."""
    count = Variable("3", DataType.INTEGER, minimum=1)
    return {
        ADDRESSES[Setting.MESSAGE_ATTEMPTS]: count,
        ADDRESSES[Setting.MESSAGE_RETRY_S]: seconds("60"),
        **table("ChargingStation", _station(config)),
        **table("OCPPCommCtrlr", _communication()),
        **table("SampledDataCtrlr", _sampled_data()),
        **table("AlignedDataCtrlr", (("Interval", seconds("0")), ("Measurands", members("", MEASURANDS)))),
        **table("TxCtrlr", _transactions()),
        **table("AuthCtrlr", _authorization()),
        **table("AuthCacheCtrlr", (("Enabled", flag("true")),)),
        **table("LocalAuthListCtrlr", (("Enabled", flag("true")), ("Entries", fixed("0", DataType.INTEGER)))),
        **table("SecurityCtrlr", _security(config)),
        **table("ClockCtrlr", (("DateTime", fixed("", DataType.STRING)), ("TimeSource", Variable("Heartbeat")))),
        **_device_data(),
        **table(displays.CONTROLLER, _display()),
        **table("SmartChargingCtrlr", _smart_charging(config)),
        ADDRESSES[Setting.MAX_PROFILES]: Variable(
            "0", DataType.INTEGER, Mutability.READ_ONLY, minimum=0, maximum=MOST_PROFILES
        ),
        **table("ReservationCtrlr", (("Enabled", flag("true")),)),
        **table("MonitoringCtrlr", (("Enabled", flag("true")),)),
        **dict(_outlets(config.outlets)),
    }


def _station(config: StationConfig) -> Iterable[tuple[str, Variable]]:
    yield "AvailabilityState", fixed("Available")
    yield "Available", fixed("true", DataType.BOOLEAN)
    yield "Model", fixed(config.model.model)
    yield "Problem", fixed("false", DataType.BOOLEAN)
    yield "SerialNumber", fixed(config.model.serial_number or config.station_id)
    yield "SupplyPhases", fixed("3", DataType.INTEGER)
    yield "VendorName", fixed(config.model.vendor)


def _communication() -> Iterable[tuple[str, Variable]]:
    yield "FileTransferProtocols", fixed("HTTPS,HTTP,SFTP,FTP", DataType.MEMBER_LIST)
    yield "HeartbeatInterval", seconds("300")
    yield "MessageTimeout", fixed("30", DataType.INTEGER, "s")
    yield "NetworkConfigurationPriority", Variable("0")
    yield "NetworkProfileConnectionAttempts", Variable("3", DataType.INTEGER, minimum=1)
    yield "OfflineThreshold", seconds("600")
    yield "ResetRetries", Variable("1", DataType.INTEGER, minimum=0)
    yield "RetryBackOffRandomRange", seconds("1")
    yield "RetryBackOffRepeatTimes", Variable("5", DataType.INTEGER, minimum=0)
    yield "RetryBackOffWaitMinimum", seconds("1")
    yield "UnlockOnEVSideDisconnect", flag("true")
    yield "WebSocketPingInterval", seconds("20")


def _sampled_data() -> Iterable[tuple[str, Variable]]:
    yield "TxEndedInterval", seconds("0")
    yield "TxEndedMeasurands", members("Energy.Active.Import.Register", MEASURANDS)
    yield "TxStartedMeasurands", members("Energy.Active.Import.Register", MEASURANDS)
    yield "TxUpdatedInterval", seconds("60")
    yield "TxUpdatedMeasurands", members(",".join(m for m in MEASURANDS if m != "Voltage"), MEASURANDS)


def _transactions() -> Iterable[tuple[str, Variable]]:
    yield "EVConnectionTimeOut", seconds("120")
    yield "StopTxOnEVSideDisconnect", fixed("true", DataType.BOOLEAN)
    yield "StopTxOnInvalidId", flag("true")
    yield "TxStartPoint", members("PowerPathClosed", POINTS)
    yield "TxStopPoint", members("PowerPathClosed", POINTS)


def _authorization() -> Iterable[tuple[str, Variable]]:
    yield "AuthorizeRemoteStart", flag("false")
    yield "LocalAuthorizeOffline", flag("true")
    yield "LocalPreAuthorize", flag("false")
    yield "OfflineTxForUnknownIdEnabled", flag("false")


def _security(config: StationConfig) -> Iterable[tuple[str, Variable]]:
    yield "BasicAuthPassword", Variable(config.password or "", mutability=Mutability.WRITE_ONLY)
    yield "Identity", fixed(config.station_id)
    yield "OrganizationName", Variable("Chargebus")
    yield "SecurityProfile", fixed("1" if config.password else "0", DataType.INTEGER)


def _smart_charging(config: StationConfig) -> Iterable[tuple[str, Variable]]:
    """Spec: OCPP 2.0.1 Part 2, appendix 3.1.16 (SmartChargingCtrlr)."""
    yield "ACPhaseSwitchingSupported", fixed("false", DataType.BOOLEAN)
    yield "Available", fixed("true", DataType.BOOLEAN)
    yield "Enabled", flag("true")
    yield "ExternalControlSignalsEnabled", flag("true")
    yield "LimitChangeSignificance", Variable("1", DataType.DECIMAL, unit="Percent", minimum=0)
    yield "NotifyChargingLimitWithSchedules", flag("true")
    yield "PeriodsPerSchedule", fixed("24", DataType.INTEGER)
    yield "Phases3to1", fixed("false", DataType.BOOLEAN)
    yield "ProfileStackLevel", fixed("10", DataType.INTEGER)
    rate_units = Variable(
        ",".join(units(config.charging_habits)), DataType.MEMBER_LIST, Mutability.READ_ONLY, allowed=("A", "W")
    )
    yield "RateUnit", rate_units


def _display() -> Iterable[tuple[str, Variable]]:
    """Spec: OCPP 2.0.1 Part 2, appendix 3 (DisplayMessageCtrlr)."""
    yield "Available", fixed("true", DataType.BOOLEAN)
    yield "Enabled", flag("true")
    yield "NumberDisplayMessages", display_messages()
    yield "SupportedFormats", fixed("ASCII,HTML,URI,UTF8", DataType.MEMBER_LIST)
    yield "SupportedPriorities", fixed("AlwaysFront,InFront,NormalCycle", DataType.MEMBER_LIST)
    yield "SupportedStates", fixed("Charging,Faulted,Idle,Unavailable", DataType.MEMBER_LIST)


def display_messages() -> Variable:
    """Return how many messages the display shows; its bound is how many it can."""
    return Variable("0", DataType.INTEGER, Mutability.READ_ONLY, minimum=0, maximum=displays.MOST)


MOST_ITEMS: Final[Mapping[str, int]] = {"GetReport": 20, "GetVariables": 30, "SetVariables": 20}
"""How many items one request of each action may have."""


def most_items(action: str) -> VariableAddress:
    """Return where the device model says how many items one request of an action may have."""
    return VariableAddress("DeviceDataCtrlr", "ItemsPerMessage", variable_instance=action)


def _device_data() -> dict[VariableAddress, Variable]:
    """Spec: OCPP 2.0.1 Part 2, appendix 3 (DeviceDataCtrlr)."""
    items = {most_items(action): fixed(str(most), DataType.INTEGER) for action, most in MOST_ITEMS.items()}
    return items | {
        VariableAddress("DeviceDataCtrlr", "BytesPerMessage", variable_instance=action): fixed(
            "65000", DataType.INTEGER
        )
        for action in MOST_ITEMS
    }


def _outlets(outlets: tuple[Outlet, ...]) -> Iterator[tuple[VariableAddress, Variable]]:
    for evse_id, outlet in enumerate(outlets, start=1):
        yield VariableAddress("EVSE", "AvailabilityState", evse_id), fixed("Available")
        yield VariableAddress("EVSE", "Available", evse_id), fixed("true", DataType.BOOLEAN)
        yield VariableAddress("EVSE", "Power", evse_id), fixed(f"{outlet.max_power_w:.0f}", DataType.DECIMAL, "W")
        yield VariableAddress("EVSE", "SupplyPhases", evse_id), fixed(str(outlet.phases), DataType.INTEGER)
        yield VariableAddress("Connector", "AvailabilityState", evse_id, 1), fixed("Available")
        yield VariableAddress("Connector", "Available", evse_id, 1), fixed("true", DataType.BOOLEAN)
        yield VariableAddress("Connector", "ConnectorType", evse_id, 1), fixed("sType2" if outlet.phases else "cCCS2")
        yield VariableAddress("Connector", "Problem", evse_id, 1), fixed("false", DataType.BOOLEAN)
