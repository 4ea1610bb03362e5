"""What responders say is kept for every copy, and for whoever asks next."""

from dataclasses import dataclass
from functools import partial

from chargebus_runtime.away import CONFLICT, is_away
from chargebus_runtime.database import Database
from chargebus_runtime.retry import until_done

from chargebus_security.status import store
from chargebus_security.status.domain.asked import Found, Question


@dataclass(frozen=True)
class Keeping:
    """Keeps what was found, as long as it counts."""

    database: Database

    async def __call__(self, question: Question, found: Found) -> None:
        """Keep what was found."""
        await until_done("keeping what a responder said", partial(self._keep, question, found), is_away, *CONFLICT)

    async def prune(self) -> None:
        """Drop what does not count any more."""
        async with self.database.transaction() as tx:
            await store.prune(tx.connection, tx.now)

    async def _keep(self, question: Question, found: Found) -> None:
        async with self.database.transaction() as tx:
            if found.is_fresh(tx.now):
                await store.keep(tx.connection, {question: found})
