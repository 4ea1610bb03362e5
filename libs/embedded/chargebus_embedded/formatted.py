"""What Kafka's own tool writes into a folder when it formats it, kept for the next folder.

The tool is a Java that takes seconds each time; what it writes differs by the folder's ids alone.
"""

import base64
import hashlib
import json
import os
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Final

from chargebus_embedded.jars import KAFKA_VERSION, read_lock
from chargebus_embedded.kafka_settings import NODE_ID

META: Final = "meta.properties"
"""The file by which a broker knows its folder again; where it is missing, the folder is not formatted."""

_CHECKPOINT: Final = "bootstrap.checkpoint"
_CLUSTER: Final = "cluster.id="
_DIRECTORY: Final = "directory.id="


def new_id() -> str:
    """Return a new id in Kafka's form."""
    # The "0" in front keeps a leading "-" away, which Kafka's tools take for an option.
    return "0" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]


def keep(cache: Path, folder: Path) -> None:
    """Keep what the tool wrote into `folder`, unless that is not what we know, or `cache` cannot be written."""
    if sorted(file.name for file in folder.iterdir()) != [_CHECKPOINT, META]:
        return
    files = {name: base64.b64encode((folder / name).read_bytes()).decode() for name in (_CHECKPOINT, META)}
    kept = _kept(cache)
    with suppress(OSError):
        descriptor, new = tempfile.mkstemp(prefix=f"{kept.name}.", dir=cache)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(files, file)
        Path(new).chmod(0o644)  # as the jars beside it
        Path(new).replace(kept)


def take(cache: Path, folder: Path, cluster_id: str) -> bool:
    """Write what was kept into `folder`, with ids of its own; return whether it is formatted."""
    try:
        files = json.loads(_kept(cache).read_text(encoding="ascii"))
        checkpoint, meta = (base64.b64decode(files[name], validate=True) for name in (_CHECKPOINT, META))
    except (OSError, ValueError, KeyError, TypeError):  # none is there, or a broken one
        return False
    lines = [_renamed(line, cluster_id) for line in meta.decode().splitlines()]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _CHECKPOINT).write_bytes(checkpoint)
    new = folder / f"{META}.new"
    new.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    new.replace(folder / META)  # the last, and whole: a start that broke off formats anew
    return True


def _renamed(line: str, cluster_id: str) -> str:
    if line.startswith(_CLUSTER):
        return _CLUSTER + cluster_id
    return _DIRECTORY + new_id() if line.startswith(_DIRECTORY) else line


def _kept(cache: Path) -> Path:
    """Return the file for this version, these jars and this node."""
    digest = hashlib.sha256("\n".join(jar.line() for jar in read_lock()).encode()).hexdigest()[:16]
    return cache / f"kafka-{KAFKA_VERSION}-{digest}-node-{NODE_ID}.formatted"
