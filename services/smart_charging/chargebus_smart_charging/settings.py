"""What an operator may change of smart-charging."""

from chargebus_runtime.settings import ServiceSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class SmartChargingSettings(ServiceSettings):
    """Each is set by the environment variable `SMART_CHARGING_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="SMART_CHARGING_", extra="ignore", frozen=True)

    keep_days: float = Field(
        default=90.0, gt=0, description="how many days a station that is not heard any more is kept"
    )
    series_keep_days: float = Field(
        default=14.0, gt=0, description="how many days prices, CO2 and demand of the grid are kept after their time"
    )
    forget_every_s: float = Field(default=60.0, gt=0, description="how often what is kept no longer is looked for")
