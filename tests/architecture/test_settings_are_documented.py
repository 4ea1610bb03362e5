"""docs/operations.md names every setting, and no other."""

import importlib
import re
from pathlib import Path

import pytest
from chargebus_runtime.settings import RuntimeSettings, ServiceSettings

ROOT = Path(__file__).parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))


def service_settings(service: str) -> type[ServiceSettings] | None:
    if not (ROOT / "services" / service / f"chargebus_{service}" / "settings.py").exists():
        return None
    module = importlib.import_module(f"chargebus_{service}.settings")
    found = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, ServiceSettings)]
    inner = {group for value in found for group in groups(value).values()}
    return next(value for value in found if value is not ServiceSettings and value not in inner)


def groups(settings: type[ServiceSettings]) -> dict[str, type[ServiceSettings]]:
    fields = {name: field.annotation for name, field in settings.model_fields.items()}
    return {name: kind for name, kind in fields.items() if isinstance(kind, type) and issubclass(kind, ServiceSettings)}


def variables(settings: type[ServiceSettings]) -> set[str]:
    prefix, inner = settings.model_config.get("env_prefix", ""), groups(settings)
    own = {f"{prefix}{name}".upper() for name in settings.model_fields.keys() - inner.keys()}
    return own.union(*map(variables, inner.values()))


ALL = {"runtime": RuntimeSettings} | {name: found for name in SERVICES if (found := service_settings(name))}


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_setting_is_in_the_table(name):
    documented = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", OPERATIONS))
    assert variables(ALL[name]) <= documented


@pytest.mark.parametrize("name", sorted(set(ALL) - {"runtime"}))
def test_no_setting_is_in_the_table_that_does_not_exist(name):
    prefix = f"{name.upper()}_"
    documented = {found for found in re.findall(r"`([A-Z][A-Z0-9_]+)`", OPERATIONS) if found.startswith(prefix)}
    assert documented == variables(ALL[name])


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_group_of_settings_has_at_most_twenty(name):
    for settings in (ALL[name], *groups(ALL[name]).values()):
        assert len(settings.model_fields) <= 20
