"""The table of names that mean the same in 1.6 and 2.x, so that one name addresses both.

A row is here only where the value may be taken over as it stands: same meaning, same unit, same words. Measurands are
a list of the same words in all versions.

Spec: OCPP 1.6 9; security white paper 2.4; OCPP 2.0.1 Part 2 appendix 3; OCPP 2.0.1 Part 2 "Configuration keys of 1.6"
"""

from typing import Final

import msgspec

from chargebus_device.variables.domain.place import Place


class Name(msgspec.Struct, frozen=True):
    """One name for the same thing in all versions.

    Attributes:
        key: the configuration key of 1.6: the name.
        place: the variable of 2.x.
        data_type: of the value, for stations of 1.6, which do not tell it.
        unit: of the value.
        breaks_connections: a wrong value can keep the station from coming back.
    """

    key: str
    place: Place
    data_type: str = "string"
    unit: str = ""
    breaks_connections: bool = False

    @property
    def own(self) -> Place:
        """Where it stands on a station of 1.6."""
        return Place(variable=self.key)

    @property
    def path(self) -> str:
        """How it is named by 2.x: component and variable with a point between."""
        return f"{self.place.component}.{self.place.variable}"


def _name(key: str, path: str, data_type: str = "string", unit: str = "", *, instance: str = "") -> Name:
    component, variable = path.split(".")
    place = Place(component=component, variable=variable, variable_instance=instance)
    return Name(key, place, data_type, unit, place.key in _BREAKING)


# What keeps the socket up, or says where the station goes when it is down.
_BREAKING: Final = frozenset(
    Place(component=component, variable=variable).key
    for component, variable in (
        ("OCPPCommCtrlr", "WebSocketPingInterval"),
        ("OCPPCommCtrlr", "NetworkConfigurationPriority"),
        ("OCPPCommCtrlr", "NetworkProfileConnectionAttempts"),
        ("OCPPCommCtrlr", "ActiveNetworkProfile"),
        ("OCPPCommCtrlr", "MessageTimeout"),
        ("OCPPCommCtrlr", "RetryBackOffRandomRange"),
        ("OCPPCommCtrlr", "RetryBackOffRepeatTimes"),
        ("OCPPCommCtrlr", "RetryBackOffWaitMinimum"),
        ("SecurityCtrlr", "SecurityProfile"),
        ("SecurityCtrlr", "Identity"),
        ("", "WebSocketPingInterval"),
        ("", "SecurityProfile"),
    )
)

NAMES: Final = (
    _name("AllowOfflineTxForUnknownId", "AuthCtrlr.OfflineTxForUnknownIdEnabled", "boolean"),
    _name("AuthorizationCacheEnabled", "AuthCacheCtrlr.Enabled", "boolean"),
    _name("AuthorizationKey", "SecurityCtrlr.BasicAuthPassword"),
    _name("AuthorizeRemoteTxRequests", "AuthCtrlr.AuthorizeRemoteStart", "boolean"),
    _name("ChargeProfileMaxStackLevel", "SmartChargingCtrlr.ProfileStackLevel", "integer"),
    _name("ChargingScheduleMaxPeriods", "SmartChargingCtrlr.PeriodsPerSchedule", "integer"),
    _name("ClockAlignedDataInterval", "AlignedDataCtrlr.Interval", "integer", "s"),
    _name("ConnectionTimeOut", "TxCtrlr.EVConnectionTimeOut", "integer", "s"),
    _name("ConnectorSwitch3to1PhaseSupported", "SmartChargingCtrlr.Phases3to1", "boolean"),
    _name("CpoName", "SecurityCtrlr.OrganizationName"),
    _name("HeartbeatInterval", "OCPPCommCtrlr.HeartbeatInterval", "integer", "s"),
    _name("LocalAuthListEnabled", "LocalAuthListCtrlr.Enabled", "boolean"),
    _name("LocalAuthorizeOffline", "AuthCtrlr.LocalAuthorizeOffline", "boolean"),
    _name("LocalPreAuthorize", "AuthCtrlr.LocalPreAuthorize", "boolean"),
    _name("MaxEnergyOnInvalidId", "TxCtrlr.MaxEnergyOnInvalidId", "integer", "Wh"),
    _name("MeterValueSampleInterval", "SampledDataCtrlr.TxUpdatedInterval", "integer", "s"),
    _name("MeterValuesAlignedData", "AlignedDataCtrlr.Measurands", "MemberList"),
    _name("MeterValuesSampledData", "SampledDataCtrlr.TxUpdatedMeasurands", "MemberList"),
    _name("ResetRetries", "OCPPCommCtrlr.ResetRetries", "integer"),
    _name("SecurityProfile", "SecurityCtrlr.SecurityProfile", "integer"),
    _name("SendLocalListMaxLength", "LocalAuthListCtrlr.ItemsPerMessage", "integer"),
    _name("StopTransactionOnEVSideDisconnect", "TxCtrlr.StopTxOnEVSideDisconnect", "boolean"),
    _name("StopTransactionOnInvalidId", "TxCtrlr.StopTxOnInvalidId", "boolean"),
    _name("StopTxnAlignedData", "AlignedDataCtrlr.TxEndedMeasurands", "MemberList"),
    _name("StopTxnSampledData", "SampledDataCtrlr.TxEndedMeasurands", "MemberList"),
    _name("SupportedFileTransferProtocols", "OCPPCommCtrlr.FileTransferProtocols", "MemberList"),
    _name("TransactionMessageAttempts", "OCPPCommCtrlr.MessageAttempts", "integer", instance="TransactionEvent"),
    _name(
        "TransactionMessageRetryInterval",
        "OCPPCommCtrlr.MessageAttemptInterval",
        "integer",
        "s",
        instance="TransactionEvent",
    ),
    _name("UnlockConnectorOnEVSideDisconnect", "OCPPCommCtrlr.UnlockOnEVSideDisconnect", "boolean"),
    _name("WebSocketPingInterval", "OCPPCommCtrlr.WebSocketPingInterval", "integer", "s"),
)

ONLY_IN_16: Final = (
    "BlinkRepeat",
    "ChargingScheduleAllowedChargingRateUnit",
    "ConnectorPhaseRotation",
    "ConnectorPhaseRotationMaxLength",
    "GetConfigurationMaxKeys",
    "LightIntensity",
    "LocalAuthListMaxLength",
    "MaxChargingProfilesInstalled",
    "MeterValuesAlignedDataMaxLength",
    "MeterValuesSampledDataMaxLength",
    "MinimumStatusDuration",
    "NumberOfConnectors",
    "ReserveConnectorZeroSupported",
    "StopTxnAlignedDataMaxLength",
    "StopTxnSampledDataMaxLength",
    "SupportedFeatureProfiles",
    "SupportedFeatureProfilesMaxLength",
)
"""Keys of 1.6 for which 2.x has none, or one of another meaning."""

KEYS: Final = tuple(sorted((*(each.key for each in NAMES), *ONLY_IN_16)))
"""All keys that 1.6 names."""

_BY_NAME: Final = {each.key.casefold(): each for each in NAMES} | {each.path.casefold(): each for each in NAMES}
_BY_PLACE: Final = {each.place.key: each for each in NAMES} | {each.own.key: each for each in NAMES}


def named(name: str) -> Name | None:
    """Return the row of a name, by its key of 1.6 or by component and variable of 2.x (`TxCtrlr.StopTxOnInvalidId`)."""
    return _BY_NAME.get(name.casefold())


def name_of(place: Place) -> Name | None:
    """Return the row of a place, in the words of whichever version."""
    return _BY_PLACE.get(place.key)


def breaks_connections(place: Place) -> bool:
    """Tell whether a wrong value there can keep a station from coming back."""
    plain = msgspec.structs.replace(place, component_instance="", variable_instance="", evse_id=0, connector_id=0)
    return plain.key in _BREAKING
