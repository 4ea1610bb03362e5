"""HTTP of a process: what services serve and who may call it, checked alike, and declared as it is answered."""

from chargebus_runtime.http.app import HttpParts, build_app
from chargebus_runtime.http.callers import Authenticator, Caller, Role, require
from chargebus_runtime.http.direct import directly
from chargebus_runtime.http.health import Health
from chargebus_runtime.http.inputs import IDEMPOTENCY_KEY, WHOLE, IdempotencyKey, Input, UtcDatetime, WholeNumber
from chargebus_runtime.http.paging import Listing, Page, PageQuery
from chargebus_runtime.http.problems import FieldError, Problem, raises
from chargebus_runtime.http.server import HttpServer, PortTakenError, listen
from chargebus_runtime.http.streams import streamed

__all__ = [
    "IDEMPOTENCY_KEY",
    "WHOLE",
    "Authenticator",
    "Caller",
    "FieldError",
    "Health",
    "HttpParts",
    "HttpServer",
    "IdempotencyKey",
    "Input",
    "Listing",
    "Page",
    "PageQuery",
    "PortTakenError",
    "Problem",
    "Role",
    "UtcDatetime",
    "WholeNumber",
    "build_app",
    "directly",
    "listen",
    "raises",
    "require",
    "streamed",
]
