"""Why something is not done with configurations; each text is for the caller."""

from collections.abc import Sequence

from chargebus_device.variables.errors import FieldObjection


class ConfigurationError(Exception):
    """What was asked for was not done."""


class UnknownConfigurationError(ConfigurationError):
    """There is no such configuration."""


class TooManyConfigurationsError(ConfigurationError):
    """There are as many as there may be."""


class UnfitConfigurationError(ConfigurationError):
    """It cannot be wanted."""

    def __init__(self, objections: Sequence[FieldObjection]) -> None:
        super().__init__("; ".join(f"{each.where}: {each.what}" for each in objections))
        self.objections = tuple(objections)
