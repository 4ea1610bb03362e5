"""What the demo keeps between two starts."""

import json

from chargebus_cli import demo


def test_a_password_that_was_changed_is_kept_beside_the_others(tmp_path):
    kept = tmp_path / "passwords.json"
    demo.keep_changed(kept, {"SIM-01": "first", "DEPOT-1": "first"})
    demo.keep_changed(kept, {"SIM-01": "second"})
    assert json.loads(kept.read_text()) == {"SIM-01": "second", "DEPOT-1": "first"}
    assert kept.stat().st_mode & 0o777 == 0o600
