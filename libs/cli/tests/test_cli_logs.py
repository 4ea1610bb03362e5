"""Logs: a library that repeats itself is cut short, everything else is kept."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from chargebus_cli.logs import LINES_PER_WINDOW, SparseFilter, log_to_file
from chargebus_runtime.sparse import WINDOW_S


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def lines(sparse: SparseFilter, name: str, message: str, count: int) -> list[str]:
    records = [logging.LogRecord(name, logging.ERROR, "", 0, message, (number,), None) for number in range(count)]
    return [record.getMessage() for record in records if sparse.filter(record)]


def test_a_repetitive_library_is_cut_short_and_what_was_left_out_is_counted():
    time = Time()
    sparse = SparseFilter(time)
    assert len(lines(sparse, "aiokafka.conn", "no connection to %s", 100)) == LINES_PER_WINDOW
    assert len(lines(sparse, "aiokafka.conn", "something else %s", 1)) == 1
    time.now += WINDOW_S
    left_out = 100 - LINES_PER_WINDOW
    assert lines(sparse, "aiokafka.conn", "no connection to %s", 2) == [
        f"no connection to 0 ({left_out} more lines like this were left out)",
        "no connection to 1",
    ]


@pytest.mark.parametrize("name", ["chargebus_edge.counts", "aiokafkaesque"])
def test_nobody_else_is_cut_short(name):
    assert len(lines(SparseFilter(), name, "line %s", 100)) == 100


@contextmanager
def logging_to(path: Path, level: str) -> Iterator[None]:
    before, level_before = logging.root.handlers[:], logging.root.level
    try:
        log_to_file(level, path)
        yield
    finally:
        for handler in logging.root.handlers:
            handler.close()
        logging.root.handlers[:] = before
        logging.root.setLevel(level_before)


def test_a_log_file_is_sparse(tmp_path):
    with logging_to(tmp_path / "log", "info"):
        for number in range(50):
            logging.getLogger("aiokafka.client").error("away %d", number)
            logging.getLogger("chargebus_test").info("here %d", number)
    written = (tmp_path / "log").read_text()
    assert (written.count("away"), written.count("here")) == (LINES_PER_WINDOW, 50)


def test_who_logs_in_by_the_secret_of_a_link_is_not_logged_at_any_level(tmp_path):
    with logging_to(tmp_path / "log", "debug"):
        logging.getLogger("asyncssh").info("Auth for user %s succeeded", "token")
        logging.getLogger("aioftp.server").debug("USER %s", "token")
        logging.getLogger("asyncssh").warning("a warning")
    written = (tmp_path / "log").read_text()
    assert ("token" in written, "a warning" in written) == (False, True)
