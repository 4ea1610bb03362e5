"""Tokens are compared without the case of A to Z: those whose text has other letters get the key that this makes.

No key meets another: texts that are equal so were equal before. A token without other letters keeps its key.
"""

from string import ascii_lowercase, ascii_uppercase

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_OTHER_LETTERS = r"[^\x01-\x7f]"
_TEXT, _KEY = 3, 5  # of a token in a fold

_TOKENS = sa.text("SELECT token_key, id_token FROM token WHERE id_token ~ :other")
_SET_TOKEN = sa.text("UPDATE token SET token_key = :new WHERE token_key = :old")
_SET_REMOTE_START = sa.text("UPDATE remote_start SET token_key = :new WHERE token_key = :old")
_SESSIONS = sa.text(
    """
    SELECT session_id, start, fold, token_key, id_token,
        ARRAY(SELECT id_token FROM session_event AS e WHERE e.session_id = s.session_id AND id_token ~ :other) AS told
    FROM charging_session AS s
    WHERE id_token ~ :other OR EXISTS (
        SELECT FROM session_event AS e WHERE e.session_id = s.session_id AND id_token ~ :other)
    """
)
_SET_SESSION = sa.text(
    "UPDATE charging_session SET token_key = :token_key, start = :start, fold = :fold WHERE session_id = :session_id"
)


def upgrade() -> None:
    connection = op.get_bind()
    for token in connection.execute(_TOKENS, {"other": _OTHER_LETTERS}).mappings().all():
        keys = {"old": token["token_key"], "new": _key(token["id_token"])}
        connection.execute(_SET_REMOTE_START, keys)
        connection.execute(_SET_TOKEN, keys)
    for session in connection.execute(_SESSIONS, {"other": _OTHER_LETTERS}).mappings().all():
        connection.execute(_SET_SESSION, _of_session(session))


def _of_session(session) -> dict[str, object]:
    return {
        "session_id": session["session_id"],
        "token_key": _key(session["id_token"]) if session["token_key"] else "",
        "start": _start(session["start"], {text.casefold(): _key(text) for text in session["told"]}),
        "fold": _fold(bytes(session["fold"])),
    }


def _start(start: str, keys: dict[str, str]) -> str:
    """Return the identity of a start of OCPP 1.6, `connector/time/key/meter`, with the new key."""
    head, slash, rest = start.partition("/")
    time, _, rest = rest.partition("/")
    key, _, meter = rest.rpartition("/")
    return f"{head}/{time}/{keys.get(key, key)}/{meter}" if slash and key in keys else start


def _fold(fold: bytes) -> bytes:
    members = msgspec.msgpack.decode(fold)
    payer = (members.get("correction") or {}).get("payer")
    for mark in (members.get("token"), members.get("second"), payer):
        if mark is not None:
            mark[_KEY] = _key(mark[_TEXT])
    return msgspec.msgpack.encode(members)


def _key(text: str) -> str:
    return text.translate(_LOWER)


def downgrade() -> None:
    pass  # the release before finds what it knew by the keys that it makes, but for tokens with other letters
