"""The jars are the pinned ones, or there is one clear error."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from chargebus_embedded import JarsUnavailableError, MockKafka, jars
from chargebus_embedded.errors import EmbeddedError
from chargebus_embedded.jars import KAFKA_VERSION, Jar, _fetch, cache_folder, class_path, read_lock
from chargebus_embedded.java import find_java
from chargebus_embedded.provide import start_kafka


def test_the_lock_pins_kafka_and_holds_no_addresses():
    pinned = read_lock()

    assert ("kafka_2.13", KAFKA_VERSION) in {(jar.artifact, jar.version) for jar in pinned}
    assert all(len(jar.sha256) == 64 for jar in pinned)
    assert not any("//" in jar.line() for jar in pinned)


def test_the_cache_lies_where_the_user_says(tmp_path):
    assert cache_folder({"CHARGEBUS_CACHE": str(tmp_path)}) == tmp_path
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "chargebus"


@pytest.mark.parametrize("home", ["missing", "closed", "a-file"])
def test_without_a_home_that_can_be_written_the_cache_lies_in_the_environment(tmp_path, monkeypatch, home):
    monkeypatch.setattr(jars, "_writable", lambda folder: not folder.is_relative_to(tmp_path / "closed"))
    (tmp_path / "closed").mkdir()
    (tmp_path / "a-file").touch()

    assert cache_folder({"HOME": str(tmp_path / home)}) == Path(sys.prefix) / "cache" / "chargebus"


def test_a_home_that_can_only_be_read_serves_the_jars_that_it_holds(tmp_path, monkeypatch):
    cache = tmp_path / ".cache" / "chargebus"
    shutil.copytree(cache_of_this_machine(), cache)
    monkeypatch.setattr(jars, "_writable", lambda folder: False)

    assert cache_folder({"HOME": str(tmp_path)}) == cache
    assert all(jar.is_relative_to(cache) for jar in class_path(cache, print))


def cache_of_this_machine() -> Path:
    cache = cache_folder(os.environ)
    class_path(cache, print)
    return cache


def test_an_account_without_an_entry_and_without_HOME_has_a_cache_too(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 4_000_000)

    assert cache_folder({}) == Path(sys.prefix) / "cache" / "chargebus"


def test_a_cache_that_cannot_be_written_is_said_in_one_line(tmp_path):
    (tmp_path / "maven").touch()

    with pytest.raises(EmbeddedError, match=r"cannot be kept in .*maven \(File exists\).*CHARGEBUS_CACHE"):
        class_path(tmp_path, print)


def test_a_jar_that_is_not_the_pinned_one_is_refused(tmp_path, monkeypatch):
    jar = Jar("org.example", "thing", "1", sha256="0" * 64)
    fetched = jar.path(tmp_path)

    class Artifact:
        def resolve(self):
            fetched.parent.mkdir(parents=True)
            fetched.write_bytes(b"something else")

    class Context:
        def __init__(self, **_settings): ...
        def project(self, *_names):
            return self

        def at_version(self, _version):
            return self

        def artifact(self):
            return Artifact()

    monkeypatch.setattr("jgo.maven.MavenContext", Context)

    with pytest.raises(JarsUnavailableError, match="is not the file that is pinned"):
        _fetch((jar,), tmp_path)
    assert not fetched.exists()


UNREACHABLE = """
import asyncio, os, sys
from pathlib import Path
from chargebus_embedded import start_kafka

async def main():
    kafka = await start_kafka(Path(sys.argv[1]), {}, print)
    print(type(kafka).__name__)
    await kafka.stop()

asyncio.run(main())
"""


def test_without_maven_central_the_mock_is_taken_with_both_ways_out_named(tmp_path):
    offline = {"HTTPS_PROXY": "http://127.0.0.1:9", "CHARGEBUS_CACHE": str(tmp_path / "cache")}

    done = subprocess.run(
        [sys.executable, "-c", UNREACHABLE, str(tmp_path / "kafka")],
        env=offline,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "cannot be fetched from Maven Central" in done.stdout
    assert "KAFKA_BOOTSTRAP_SERVERS" in done.stdout
    assert "KAFKA=mock" in done.stdout
    assert done.stdout.splitlines()[-1] == "MockKafka"
    assert "Traceback" not in done.stderr


async def test_the_mock_is_taken_where_it_is_asked_for(tmp_path):
    said: list[str] = []

    kafka = await start_kafka(tmp_path, {"KAFKA": "mock"}, said.append)

    assert isinstance(kafka, MockKafka)
    assert ":" in kafka.bootstrap_servers
    assert "forgets everything on exit" in said[0]
    await kafka.stop()


async def test_an_unknown_kafka_is_refused(tmp_path):
    with pytest.raises(EmbeddedError, match="KAFKA=redpanda is not known"):
        await start_kafka(tmp_path, {"KAFKA": "redpanda"}, print)


def test_java_comes_from_the_wheel_then_from_java_home(tmp_path, monkeypatch):
    assert "java-runtime" in str(find_java({"JAVA_HOME": "/nowhere"}))

    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.touch()
    assert find_java({"JAVA_HOME": str(tmp_path)}) == java
    with pytest.raises(EmbeddedError, match="set JAVA_HOME"):
        find_java({})
