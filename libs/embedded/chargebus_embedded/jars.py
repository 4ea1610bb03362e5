"""Apache Kafka's jars: which ones (pinned by hash), where they are cached, and how they get there."""

import fcntl
import hashlib
import logging
import os
import pwd
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from chargebus_embedded.certificates import system_certificates
from chargebus_embedded.errors import EmbeddedError, JarsUnavailableError
from chargebus_embedded.say import Say

KAFKA_VERSION = "4.1.0"
ENDPOINTS = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.slf4j:slf4j-simple:1.7.36")
LOCK = "kafka-jars.lock"

_SETTING = "CHARGEBUS_CACHE"
_DOWNLOADS_AT_ONCE = 8


@dataclass(frozen=True)
class Jar:
    """One pinned jar: its Maven coordinate and the SHA-256 of its bytes in hex."""

    group: str
    artifact: str
    version: str
    sha256: str

    def path(self, repository: Path) -> Path:
        """Return where the jar lies in a Maven repository folder."""
        name = f"{self.artifact}-{self.version}.jar"
        return repository.joinpath(*self.group.split("."), self.artifact, self.version, name)

    def line(self) -> str:
        """Return the jar as a line of the lock file."""
        return f"{self.group}:{self.artifact}:{self.version} sha256:{self.sha256}"


def read_lock() -> tuple[Jar, ...]:
    """Return the pinned jars in class path order."""
    text = resources.files("chargebus_embedded").joinpath(LOCK).read_text(encoding="utf-8")
    return tuple(_parse(line) for line in text.splitlines() if line)


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return where the jars are kept: `CHARGEBUS_CACHE`, or `chargebus` in the user's cache folder.

    Where there is no home, or nothing can be written into it, they are kept in this environment (`.venv`).
    """
    if own := environment.get(_SETTING):
        return Path(own)
    for user in _user_caches(environment):
        kept = user / "chargebus"
        if _complete(kept) or _writable(kept):
            return kept
    return Path(sys.prefix) / "cache" / "chargebus"


def class_path(cache: Path, say: Say) -> tuple[Path, ...]:
    """Return the jars of Apache Kafka, fetching into `cache` what it lacks.

    Args:
        cache: the folder from `cache_folder`; one download at a time is made into it, also by several processes.
        say: gets one line for the user before a download.

    Raises:
        JarsUnavailableError: a jar cannot be fetched, or is not the one that is pinned.
        EmbeddedError: nothing can be written into `cache`.
    """
    jars = read_lock()
    repository = _repository(cache)
    if not _complete(cache):
        with _locked(repository):
            if not _complete(cache):
                say(f"Fetching Apache Kafka {KAFKA_VERSION} from Maven Central (43 MB, only this once) ...")
                _fetch(jars, repository)
                _mark(repository, jars).touch()
    return tuple(jar.path(repository) for jar in jars)


def resolve_lock(cache: Path) -> str:
    """Return a new lock file's text: what Maven Central names for the endpoints now, transitively."""
    from jgo.maven import MavenContext  # noqa: PLC0415 - slow to import, and needed once in the life of a cache

    context = MavenContext(repo_cache=_repository(cache), local_repos=[])
    roots = [context.create_dependency(endpoint) for endpoint in ENDPOINTS]
    with system_certificates():
        inputs, transitive = context.resolver.resolve(roots)
    chosen = [*inputs, *(one for one in transitive if one.scope in ("compile", "runtime"))]
    jars = []
    for artifact in (dependency.artifact for dependency in chosen):
        sha256 = _sha256(artifact.resolve())
        jars.append(Jar(artifact.groupId, artifact.artifactId, artifact.version, sha256))
    return "".join(f"{jar.line()}\n" for jar in jars)


def _parse(line: str) -> Jar:
    coordinate, _, digest = line.partition(" sha256:")
    group, artifact, version = coordinate.split(":")
    return Jar(group, artifact, version, digest)


def _user_caches(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the user's cache folder, if there is one; a home that does not exist is not made."""
    if given := environment.get("XDG_CACHE_HOME"):
        yield Path(given)
        return
    try:
        home = Path(environment.get("HOME") or pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:  # an account without an entry, as containers have
        return
    if home.is_dir():
        yield home / ".cache"


def _writable(folder: Path) -> bool:
    present = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return os.access(present, os.W_OK | os.X_OK)


def _repository(cache: Path) -> Path:
    return cache / "maven"


def _mark(repository: Path, jars: tuple[Jar, ...]) -> Path:
    digest = hashlib.sha256("\n".join(jar.line() for jar in jars).encode()).hexdigest()[:16]
    return repository / f"{digest}.complete"


def _complete(cache: Path) -> bool:
    jars, repository = read_lock(), _repository(cache)
    return all(path.exists() for path in (_mark(repository, jars), *(jar.path(repository) for jar in jars)))


def _fetch(jars: tuple[Jar, ...], repository: Path) -> None:
    from jgo.maven import MavenContext  # noqa: PLC0415 - as above

    logging.getLogger("jgo").setLevel(logging.ERROR)  # what matters of its warnings is checked here, by hash
    context = MavenContext(repo_cache=repository, local_repos=[])

    def fetch(jar: Jar) -> None:
        path = jar.path(repository)
        if path.exists() and _sha256(path) != jar.sha256:  # a download that broke off
            path.unlink()
        context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
        if _sha256(path) != jar.sha256:
            path.unlink()
            message = f"{path.name} from Maven Central is not the file that is pinned in {LOCK}"
            raise JarsUnavailableError(message)

    pool = ThreadPoolExecutor(_DOWNLOADS_AT_ONCE)
    try:
        with system_certificates():
            list(pool.map(fetch, jars))
    except (OSError, RuntimeError) as error:  # no network (requests' errors are OSErrors); jgo's "not found"
        message = f"Apache Kafka's jars cannot be fetched from Maven Central ({_first_cause(error)})"
        raise JarsUnavailableError(message) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _first_cause(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def _locked(repository: Path) -> Iterator[None]:
    try:
        repository.mkdir(parents=True, exist_ok=True)
        lock = (repository / ".lock").open("w")
    except OSError as error:
        message = (
            f"Apache Kafka's jars cannot be kept in {repository} ({error.strerror}): "
            f"name a folder that can be written ({_SETTING}=...)"
        )
        raise EmbeddedError(message) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.stdout.write(resolve_lock(cache_folder(os.environ)))
