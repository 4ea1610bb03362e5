"""What Schemathesis may find, since no schema can say it: each with the problem that tells the caller so.

Everything else that it finds is a defect. It loads this file as its hooks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response

_REJECTED: Final = "ST202"  # data that the schema allows was refused
_ALLOW: Final = "ST205"  # `Allow` differs from the path's methods
_OUTLIVES: Final = "ST301"  # something of a deleted resource is still there
_ASKING: Final = ("/commands", "/start", "/stop")  # routes that ask a station


@dataclass(frozen=True)
class Refusal:
    """A refusal with 422 of what a schema allows; in `field`, `*` stands for any."""

    reason: str
    title: str
    field: str = ""

    def explains(self, problem: Mapping[str, Any]) -> bool:
        """Tell whether it is this one and nothing else."""
        fields = {error["field"] for error in problem.get("errors", ())}
        if problem.get("title") != self.title or bool(fields) != bool(self.field):
            return False
        return all(fnmatchcase(field, self.field) for field in fields)


REFUSALS: Final = (
    Refusal("only what a list gave is a cursor of it", "invalid request", "query.cursor"),
    Refusal("which characters nobody sees, no pattern says", "invalid request", "body.station_id"),
    Refusal(
        "a key that expired before it was made opens nothing: which times have passed, no schema knows",
        "expired already",
    ),
    Refusal(
        "which actions and payloads a station takes, its OCPP version says", "the command does not fit the station"
    ),
    Refusal("how long a command may wait and take, the settings say", "too long"),
    Refusal("which tokens there are, no schema knows", "token unknown"),
    Refusal("how long a token may be, the station's OCPP version says", "token too long"),
    Refusal("whether readings and energy of a session agree, no schema knows", "impossible values"),
    Refusal("that a correction has to name something, no schema says", "invalid request", "body"),
    Refusal("a key stands for one command, the first that came with it", "the idempotency key was used before"),
    Refusal("whether a site's nodes make a tree, no schema says", "the site does not fit together", "body.*"),
    Refusal("whether a limit or series contradicts itself or the site, no schema says", "it does not fit", "body.*"),
    Refusal("that periods follow each other, no schema says", "invalid request", "body.charging_profile.periods"),
    Refusal("which times have passed, no schema knows", "the departure is over"),
    Refusal("what a site has, and which times have passed, no schema knows", "it does not fit the site", "body.*"),
    Refusal("that at least one need is named, no schema says", "nothing is said"),
)
ALLOW: Final = {
    # OpenAPI takes {station_id} and {id_token} for other paths; yet a station or a token may be called `bulk`.
    "POST /v1/stations/bulk",
    "POST /v1/tokens/bulk",
}
OUTLIVING: Final = {
    "GET /v1/stations/{station_id}/commands",  # what was asked of a station is kept for as long as any command
}


@schemathesis.hook
def before_call(_context: object, case: schemathesis.Case, _kwargs: object) -> None:
    """Have nobody wait for a station for long: it may be told to take minutes."""
    is_valid = case.meta is None or case.meta.generation.mode.is_positive
    if is_valid and isinstance(case.body, dict) and case.path.endswith(_ASKING):
        case.body |= {"timeout_s": 1, "ttl_s": 1}


@schemathesis.hook
def filter_failure(_context: object, failure: Failure, case: schemathesis.Case, response: Response) -> bool:
    """Tell whether a failure is one."""
    if failure.code == _ALLOW:
        return case.operation.label not in ALLOW
    if failure.code == _OUTLIVES:
        return case.operation.label not in OUTLIVING
    if failure.code == _REJECTED and response.status_code == 422:
        problem = response.json()
        return not any(refusal.explains(problem) for refusal in REFUSALS)
    return True
