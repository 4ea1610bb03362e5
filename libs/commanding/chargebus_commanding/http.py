"""How an API answers for a command that it asked for: 200 with its outcome, or 202 with a link to go on from."""

from typing import Final

from fastapi import Response

from chargebus_commanding.asking import Asked
from chargebus_commanding.outcomes import Outcome

_ENDED: Final = 200
_ON_ITS_WAY: Final = 202


def tell(response: Response, asked: Asked, outcome: Outcome | None) -> None:
    """Say where the command is found, and whether it has ended: 200 if it has, 202 if it is on its way."""
    response.headers["Location"] = f"/v1/commands/{asked.command_id}"
    response.status_code = _ON_ITS_WAY if outcome is None else _ENDED
