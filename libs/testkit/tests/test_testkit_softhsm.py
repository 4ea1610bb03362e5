"""A hardware security module for tests: fetched once, or not at all."""

import pytest
from chargebus_testkit import softhsm
from chargebus_testkit.softhsm import SoftHsmMissingError, soft_hsm


def test_what_cannot_be_fetched_is_tried_once_and_told_each_time(tmp_path, monkeypatch):
    tried = []

    def run(arguments, *_):
        tried.append(arguments[0])
        raise SoftHsmMissingError("apt-get fails: no network")

    monkeypatch.setenv("CHARGEBUS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(softhsm, "_installed", lambda: None)
    monkeypatch.setattr(softhsm, "_run", run)
    for _ in range(3):
        with pytest.raises(SoftHsmMissingError, match="no network"):
            soft_hsm(tmp_path)
    assert tried == ["apt-get"] * 2  # with the machine's list of packages, and with one of its own
