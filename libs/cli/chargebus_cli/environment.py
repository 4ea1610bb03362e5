"""The settings that the environment gives, or one line that says which is wrong."""

import os
from typing import Final

from chargebus_runtime.settings import RuntimeSettings
from pydantic import ValidationError

from chargebus_cli.errors import CommandError

_SECRET: Final = ("_KEY", "_KEYS", "_PASSWORD", "_SECRET")


def runtime_settings(**over: str | int) -> RuntimeSettings:
    """Return the settings that every process has; `over` wins over the environment.

    Raises:
        CommandError: a setting has a value that it cannot have.
    """
    try:
        return RuntimeSettings(**over)  # type: ignore[arg-type]
    except ValidationError as error:
        raise wrong_setting(error) from error


def wrong_setting(error: ValidationError, prefix: str = "") -> CommandError:
    """Return the error that names the first wrong setting as the environment spells it."""
    first = error.errors()[0]
    name = prefix + "_".join(map(str, first["loc"])).upper()
    shown = "" if name.endswith(_SECRET) else f" (it is {os.environ.get(name)!r})"
    return CommandError(f"the setting {name} is wrong: {first['msg']}{shown}")
