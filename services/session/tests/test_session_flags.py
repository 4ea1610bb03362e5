"""The data contract tells of every flag of sessions, and what to do for it."""

import re
from pathlib import Path

from chargebus_session.transactions.domain import energy, events, fold, sessions, settling

CONTRACT = (Path(__file__).parents[3] / "docs" / "data-contract.md").read_text(encoding="utf-8")
NO_FLAGS = {energy.PHASES}


def test_every_flag_is_documented_with_what_to_do_and_no_other():
    own = {
        value
        for module in (energy, events, fold, sessions, settling)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and re.fullmatch(r"[a-z]+(_[a-z]+)+", value)
    }
    flags = own - NO_FLAGS | {settling.CORRECTED, settling.REOPENED}
    section = CONTRACT.partition("\n## Flags of sessions\n")[2].partition("\n## ")[0]
    rows = {row[1].strip(" `"): row[3].strip() for row in (line.split("|") for line in section.splitlines()) if row[1:]}

    assert rows.keys() - {"flag", "---"} == flags
    assert all(rows.values())
