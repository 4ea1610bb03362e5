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
    planners: int = Field(
        default=2, ge=0, le=16, description="how many pieces of sites a process plans side by side; 0: others plan"
    )
    solvers: int = Field(
        default=1, ge=0, le=64, description="how many optimisers a process runs, each a process of its own; 0: none"
    )
    solve_within_s: float = Field(
        default=2.0, gt=0, le=5, description="how long an optimiser may take for a site before it is done without"
    )
    limit_keys: tuple[str, ...] = Field(
        default=(),
        description="JSON list of configuration keys by which stations of OCPP 1.6 take their largest current in A",
    )
    plans_keep_days: float = Field(default=1.0, gt=0, description="how many days plans are kept")
