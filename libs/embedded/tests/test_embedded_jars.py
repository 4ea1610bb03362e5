"""The jars are the pinned ones, or there is one clear error."""

import subprocess
import sys

import pytest
from chargebus_embedded import JarsUnavailableError, MockKafka
from chargebus_embedded.errors import EmbeddedError
from chargebus_embedded.jars import KAFKA_VERSION, Jar, _fetch, cache_folder, read_lock
from chargebus_embedded.java import find_java
from chargebus_embedded.provide import start_kafka


def test_the_lock_pins_kafka_and_holds_no_addresses():
    jars = read_lock()

    assert ("kafka_2.13", KAFKA_VERSION) in {(jar.artifact, jar.version) for jar in jars}
    assert all(len(jar.sha256) == 64 for jar in jars)
    assert not any("//" in jar.line() for jar in jars)


def test_the_cache_lies_where_the_user_says(tmp_path):
    assert cache_folder({"CHARGEBUS_CACHE": str(tmp_path)}) == tmp_path
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "chargebus"


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
