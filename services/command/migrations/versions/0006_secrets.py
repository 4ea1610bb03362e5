"""What the ledger shows holds no secret: what stands in it is masked by the table as it is today."""

import sqlalchemy as sa
from alembic import op
from chargebus_ocppj.secrets import STANDARD

revision = "0006"
down_revision = "0005"

_AT_ONCE = 1000
_SOME = sa.text(
    """
    SELECT number, state, action, payload, reply, fingerprint, reason, error_description, error_details
    FROM command WHERE number > :after ORDER BY number LIMIT :limit
    """
)
_MASK = sa.text(
    """
    UPDATE command SET payload = :payload, reply = :reply, fingerprint = :fingerprint, reason = :reason,
        error_description = :error_description, error_details = :error_details
    WHERE number = :number
    """
)


def upgrade() -> None:
    connection = op.get_bind()
    after = 0
    while rows := connection.execute(_SOME, {"after": after, "limit": _AT_ONCE}).mappings().all():
        after = rows[-1]["number"]
        for row in rows:
            masked = _masked(row)
            if masked != {name: row[name] for name in masked}:
                connection.execute(_MASK, masked)


def _masked(row) -> dict[str, object]:
    action, payload = row["action"], row["payload"].encode()
    shown = STANDARD.masked_call(action, payload).decode()
    texts = {name: STANDARD.purged_text(action, payload, row[name]) for name in ("reason", "error_description")}
    return {
        "number": row["number"],
        "payload": shown,
        "reply": _json(row["reply"], lambda reply: STANDARD.masked_result(action, payload, reply)),
        "error_details": _json(row["error_details"], lambda details: STANDARD.purged(action, payload, details)),
        # A hash of the whole payload could be guessed from: no later call has this one.
        "fingerprint": row["fingerprint"] if shown == row["payload"] else "",
        **texts,
    }


def _json(text, masked) -> str | None:
    return None if text is None else masked(text.encode()).decode()


def downgrade() -> None:
    pass  # what was masked is gone
