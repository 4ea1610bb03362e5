"""What a charging station may be called: its identity, as the last part of its OCPP URL carries it.

Spec: OCPP-J 1.6 3.1.1 and OCPP 2.0.1 Part 4, 3.1.1 (percent-encoded; 1.6 restricts neither characters nor length, 2.0.1
takes an identifierString of 48 characters).
"""

import unicodedata
from typing import Final

MAX_LENGTH: Final = 255

# Control and format characters, halves of surrogate pairs, private and unassigned ones, line and paragraph separators:
# nobody sees them, or not everywhere.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def objection(identity: str) -> str | None:
    """Return why a text is no identity, or None if it is one."""
    if not 1 <= len(identity) <= MAX_LENGTH:
        return f"an identity has 1 to {MAX_LENGTH} characters"
    if any(unicodedata.category(character) in _UNSEEN for character in identity):
        return "an identity has no control, format or unassigned characters"
    if identity != identity.strip():
        return "an identity neither begins nor ends with a blank"
    if identity.startswith("/") or identity in {".", ".."}:
        return "an identity neither begins with a slash nor is . or ..: no address could carry it"
    if identity != unicodedata.normalize("NFC", identity):
        return "an identity is composed text (Unicode normalization form C)"
    return None


def canonical(text: str) -> str | None:
    """Return the identity that a station means, or None if it is none.

    Blanks around it are a slip of the hand, and whether an accent is a character of its own nobody sees.
    """
    identity = text.strip(" ")
    if not identity.isascii():
        identity = unicodedata.normalize("NFC", identity)
    return identity if objection(identity) is None else None
