"""The key that secrets are sealed with: made once by the whole system on one machine, and shown to nobody."""

import pytest
from chargebus_cli.environment import runtime_settings
from chargebus_cli.errors import CommandError
from chargebus_cli.system import _kept_key
from chargebus_runtime.sealing import Sealing


def test_the_first_start_makes_a_key_and_the_next_ones_take_it(tmp_path):
    first = _kept_key(tmp_path / "sealing-keys")

    assert Sealing.of(first).has_keys
    assert _kept_key(tmp_path / "sealing-keys") == first
    assert [path.name for path in tmp_path.iterdir()] == ["sealing-keys"]
    assert (tmp_path / "sealing-keys").stat().st_mode & 0o777 == 0o600


def test_a_wrong_key_is_told_without_showing_it(monkeypatch):
    monkeypatch.setenv("SEALING_KEYS", "c2VjcmV0")

    with pytest.raises(CommandError, match=r"the setting SEALING_KEYS is wrong: .*key 1 is not 32 bytes") as refused:
        runtime_settings()
    assert "c2VjcmV0" not in str(refused.value)
