"""What Kafka wrote into one folder serves the next ones, or Kafka is asked again."""

import pytest
from chargebus_embedded import formatted

CHECKPOINT = bytes(range(256))
META = "#Mon Nov 30 12:00:00 UTC 2026\ncluster.id=0first\ndirectory.id=0folder\nnode.id=1\nversion=1\n"


@pytest.fixture
def cache(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


@pytest.fixture
def by_kafka(tmp_path):
    folder = tmp_path / "by-kafka"
    folder.mkdir()
    (folder / "bootstrap.checkpoint").write_bytes(CHECKPOINT)
    (folder / formatted.META).write_text(META)
    return folder


def test_the_next_folder_gets_the_same_with_the_ids_of_its_own(cache, by_kafka, tmp_path):
    formatted.keep(cache, by_kafka)

    assert formatted.take(cache, tmp_path / "next", "0next")
    assert sorted(file.name for file in (tmp_path / "next").iterdir()) == ["bootstrap.checkpoint", formatted.META]
    assert (tmp_path / "next" / "bootstrap.checkpoint").read_bytes() == CHECKPOINT
    _, cluster, directory, *rest = (tmp_path / "next" / formatted.META).read_text().splitlines()
    assert (cluster, rest) == ("cluster.id=0next", ["node.id=1", "version=1"])
    assert directory.startswith("directory.id=0")
    assert len(directory) == len("directory.id=") + 22


def test_nothing_is_taken_where_nothing_is_kept(cache, tmp_path):
    assert not formatted.take(cache, tmp_path / "next", "0next")
    assert not (tmp_path / "next").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"bootstrap.checkpoint": "?", "meta.properties": "?"}'])
def test_what_is_broken_is_not_taken_and_kept_anew(cache, by_kafka, tmp_path, content):
    formatted.keep(cache, by_kafka)
    (kept,) = cache.iterdir()
    kept.write_text(content)

    assert not formatted.take(cache, tmp_path / "next", "0next")
    formatted.keep(cache, by_kafka)
    assert formatted.take(cache, tmp_path / "next", "0next")


def test_a_folder_with_a_file_that_we_do_not_know_is_not_kept(cache, by_kafka):
    (by_kafka / "another").touch()

    formatted.keep(cache, by_kafka)

    assert list(cache.iterdir()) == []


def test_a_cache_that_is_not_there_keeps_nothing(by_kafka, tmp_path):
    formatted.keep(tmp_path / "none", by_kafka)

    assert not formatted.take(tmp_path / "none", tmp_path / "next", "0next")
