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

_ACCEPTED: Final = "ST201"  # data that the schema forbids was not refused as expected
_REJECTED: Final = "ST202"  # data that the schema allows was refused
_ALLOW: Final = "ST205"  # `Allow` differs from the path's methods
_OUTLIVES: Final = "ST301"  # something of a deleted resource is still there
_ASKING: Final = ("/commands", "/start", "/stop")  # routes that ask a station
_WAITING: Final = ("/variables", "/variables/read")  # routes that may wait for one


@dataclass(frozen=True)
class Refusal:
    """A refusal with 422 of what a schema allows; in `field`, `*` stands for any."""

    reason: str
    title: str
    field: str = ""

    def explains(self, title: str, field: str) -> bool:
        """Tell whether it is why a problem with this title names this field, or none."""
        return title == self.title and fnmatchcase(field, self.field)


REFUSALS: Final = (
    Refusal("only what a list gave is a cursor of it", "invalid request", "query.cursor"),
    Refusal("which characters nobody sees, no pattern says", "invalid request", "body.station_id"),
    Refusal("which time zones there are, no schema knows", "invalid request", "body.time_zone"),
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
    Refusal("what a certificate is, no schema says", "unreadable certificates", "body.pem"),
    Refusal("which certificates are known, and which of them are roots, no schema knows", "no such root", "body.*"),
    Refusal("that a correction has to name something, no schema says", "invalid request", "body"),
    Refusal("a key stands for one command, the first that came with it", "the idempotency key was used before"),
    Refusal("whether a site's nodes make a tree, no schema says", "the site does not fit together", "body*"),
    Refusal("whether a limit or series contradicts itself or the site, no schema says", "it does not fit", "body.*"),
    Refusal("that periods follow each other, no schema says", "invalid request", "body.charging_profile.periods"),
    Refusal("which times have passed, no schema knows", "the departure is over"),
    Refusal("which times have passed, no schema knows", "the reservation is over"),
    Refusal("that a reservation is for somebody, no schema says", "invalid request", "body"),
    Refusal("what a site has, and which times have passed, no schema knows", "it does not fit the site", "body.*"),
    Refusal(
        "where nothing may be posted, and whether mail is set up, no schema says",
        "the subscription does not fit",
        "body.*",
    ),
    Refusal("that at least one need is named, no schema says", "nothing is said"),
    Refusal("that the oldest entry of a log comes before the latest, no schema says", "no entry can be wanted"),
    Refusal("over what files are taken, the settings say", "not offered"),
    Refusal("over what images are served, the settings say", "images are not served like that"),
    Refusal("which stations an image is for, no schema knows", "the image does not fit"),
    Refusal("which part of an address is a secret, no schema knows", "the address holds a secret"),
    Refusal("which times have passed, no schema knows", "the message is over"),
    Refusal(
        "what goes together in an image, and is a certificate, no schema says",
        "the image does not fit together",
        "body.*",
    ),
    Refusal("which content has a hash or a signature, no schema knows", "not the content that was said"),
    Refusal("which hash of what is a checksum, no schema says", "invalid request", "header.upload-checksum"),
    Refusal("how far ahead an update may be planned, no schema knows", "too far ahead"),
    Refusal(
        "which MD5 an image has, and over what it is served, no schema knows", "the image cannot be published like that"
    ),
    Refusal("from where stations fetch files is said in words, not by a pattern", "invalid request", "body.url"),
    Refusal("which times have passed, and when a window opens, no schema knows", "it never holds", "body"),
    Refusal("which time zones there are, no schema says", "invalid request", "body.weekly.time_zone"),
    Refusal("that a variable is named in one way, no schema says", "invalid request", "body.variables.[0-9]"),
    Refusal("that a variable is named in one way, no schema says", "invalid request", "body.variables.[0-9][0-9]"),
    Refusal("that a variable is named in one way, no schema says", "invalid request", "body.variables.[0-9][0-9][0-9]"),
    Refusal("which variables hold secrets, and values fit, no schema says", "it cannot be wanted", "body.*"),
    Refusal("which variables a station has, and takes, no schema knows", "it does not fit the station", "body.*"),
)
UPLOADS: Final = {
    412: "what a server says to another version of tus, tus says",
    413: "how much of an upload is left, and how large an image may be, no schema knows",
    460: "what fits to a checksum, no schema knows; the status is tus' own",
}
ALLOW: Final = {
    # OpenAPI takes {station_id} and {id_token} for other paths; yet a station or a token may be called `bulk`.
    "POST /v1/stations/bulk",
    "POST /v1/tokens/bulk",
}
OUTLIVING: Final = {
    "GET /v1/stations/{station_id}/commands",  # what was asked of a station is kept for as long as any command
    "GET /v1/reservations/{reservation_id}",  # one that is cancelled stays to be seen
    "DELETE /v1/reservations/{reservation_id}",
}

# What tus sends is bytes as any other.
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")


@schemathesis.hook
def before_call(_context: object, case: schemathesis.Case, _kwargs: object) -> None:
    """Have nobody wait for a station for long: it may be told to take minutes."""
    is_valid = case.meta is None or case.meta.generation.mode.is_positive
    if is_valid and isinstance(case.body, dict) and case.path.endswith(_ASKING):
        case.body |= {"timeout_s": 1, "ttl_s": 1}
    if is_valid and isinstance(case.body, dict) and case.path.endswith(_WAITING):
        case.body |= {"ttl_s": 1}


@schemathesis.hook
def filter_failure(_context: object, failure: Failure, case: schemathesis.Case, response: Response) -> bool:
    """Tell whether a failure is one."""
    if failure.code == _ALLOW:
        return case.operation.label not in ALLOW
    if failure.code == _OUTLIVES:
        return case.operation.label not in OUTLIVING
    if failure.code in (_ACCEPTED, _REJECTED) and response.status_code in UPLOADS and "/uploads" in case.path:
        return False
    if failure.code == _REJECTED and response.status_code == 422:
        return not is_explained(response.json())
    return True


def is_explained(problem: Mapping[str, Any]) -> bool:
    """Tell whether each field that a problem names is refused for a reason that stands above."""
    fields = {error["field"] for error in problem.get("errors", ())} or {""}
    return all(any(refusal.explains(problem.get("title", ""), field) for refusal in REFUSALS) for field in fields)
