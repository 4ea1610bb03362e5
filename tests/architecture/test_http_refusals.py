"""Whatever routes refuse with 422 beyond their schemas is named in the HTTP contract's exceptions.

Else it would be found there by chance alone, on the day when a request happens to meet it.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXCEPTIONS = (ROOT / "tests/http/exceptions.py").read_text(encoding="utf-8")
TITLE = re.compile(r"""(?:\(|Problem\()422, "([^"]+)\"""")
OWN = "invalid request"
"""The title of every request that breaks its schema."""


def titles() -> dict[str, Path]:
    sources = list((ROOT / "services").glob("*/chargebus_*/**/api*/**/*.py"))
    sources += (ROOT / "services").glob("*/chargebus_*/**/api.py")
    return {title: path for path in sources for title in TITLE.findall(path.read_text(encoding="utf-8"))}


def test_each_refusal_is_named():
    found = titles()
    assert {"the message is over", "token unknown", "not the content that was said"} <= found.keys()

    assert {title: path for title, path in found.items() if title != OWN and f'"{title}"' not in EXCEPTIONS} == {}
