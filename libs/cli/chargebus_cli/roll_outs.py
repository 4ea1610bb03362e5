"""The demo's firmware: two images and a campaign for each, one that goes well and one that stops itself."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from chargebus_station.config import Model
from chargebus_station.faults import Fault
from chargebus_station.firmware_image import image
from chargebus_station.fleet import TOWN

VERSION: Final = "1.1.0"
TOWN_LABELS: Final = {"site": "town"}
GOOD_MODELS: Final = ("Wall 11", "Wall 7", "Fast 150")
BAD_MODEL: Final = "Duo 22"

_SIZE: Final = 300_000
_RULES: Final[Mapping[str, Any]] = {
    "waves": [{"count": 1}, {"percent": 50}],
    "pause_s": 20,
    "settle_s": 15,
    "charge_within_s": 0,
    "parallel_each": 3,
    "attempts": 1,
    "exchange_after_s": 60,
    "fail_share": 0.5,
    "fail_count": 1,
}
"""As on a fleet whose day passes in minutes: an operator gives each wave hours."""


def faults(stations: Sequence[str]) -> dict[str, Sequence[tuple[Fault, str]]]:
    """Return what the stations of the town do wrong: those of one model cannot install anything."""
    kinds = (TOWN[number % len(TOWN)] for number in range(len(stations)))
    return {
        station: ((Fault.FAIL_INSTALLATION, "UpdateFirmware"),)
        for station, kind in zip(stations, kinds, strict=True)
        if kind.model == BAD_MODEL
    }


def content(models: Sequence[str]) -> bytes:
    """Return the content of an image for models; the same each time."""
    return image(VERSION, _SIZE + len("".join(models)))


def described(models: Sequence[str]) -> dict[str, Any]:
    """Return an image for models as an operator describes it."""
    name = f"{', '.join(models)}: {VERSION}"
    return {"name": name, "version": VERSION, "vendor": Model().vendor, "models": list(models)}


def campaign(image_id: str, models: Sequence[str]) -> dict[str, Any]:
    """Return the campaign that brings an image to the town's stations of these models."""
    selector = {"labels": TOWN_LABELS, "models": list(models)}
    return {"name": name_of(models), "image_id": image_id, "selector": selector, "rules": dict(_RULES)}


def name_of(models: Sequence[str]) -> str:
    """Return the name of the campaign for models."""
    return f"{VERSION} for {', '.join(models)}"
