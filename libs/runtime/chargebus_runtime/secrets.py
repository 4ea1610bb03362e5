"""How secrets are made, kept and checked: API keys and the passwords of stations.

A generated secret has 160 random bits: no one guesses it, so one salted SHA-256 keeps it as safe as a slow hash
would, and a mass reconnect costs a microsecond a station. A secret that a person chose may be weak and is kept
with scrypt.
"""

import hashlib
import hmac
import re
import secrets as random_source
from collections.abc import Iterator
from typing import Final

_FAST = "sha256"
_SLOW = "scrypt"
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**14, 8, 1
_HEX_FORM_BYTES = 20  # an AuthorizationKey of OCPP 1.6 is 20 bytes, written as 40 hexadecimal digits
_HEXADECIMAL: Final = re.compile(rb"(?:[0-9A-Fa-f]{2}){8,40}")
_RAW_BYTES: Final = range(8, 41)  # what hexadecimal digits of an allowed length stand for
_ENDINGS: Final = b"\r\n\0"


def generate_password() -> str:
    """Return a new password of 40 hexadecimal digits (160 bits): it fits every OCPP version.

    Spec: OCPP 1.6 security whitepaper, AuthorizationKey; OCPP 2.0.1 A00.FR.205 (16 to 40 characters)
    """
    return random_source.token_hex(_HEX_FORM_BYTES)


def hash_generated(secret: str) -> str:
    """Return the stored form of a secret that `generate_password` made, or that is as random."""
    salt = random_source.token_hex(8)
    return f"{_FAST}${salt}${_fast(salt, secret.encode())}"


def hash_chosen(secret: str) -> str:
    """Return the stored form of a secret that a person chose; takes about 50 ms of CPU.

    One of hexadecimal digits is a key: it is kept in lower case, for `verify` takes it in either.
    """
    salt = random_source.token_hex(16)
    chosen = secret.encode()
    return f"{_SLOW}${salt}${_slow(salt, chosen.lower() if _HEXADECIMAL.fullmatch(chosen) else chosen)}"


def fingerprint(stored: str) -> str:
    """Return a name for a stored form, by which it can be spoken of where the form itself is not shown."""
    return hashlib.sha256(stored.encode()).hexdigest()[:16]


def is_slow(stored: str) -> bool:
    """Tell whether checking against `stored` costs tens of milliseconds."""
    return stored.startswith(_SLOW + "$")


def verify(secret: bytes, stored: str) -> bool:
    """Compare in constant time; an empty or unknown stored form matches nothing.

    What stations make of the same secret matches as well: hexadecimal digits in either case, the bytes that they stand
    for (Spec: OCPP 1.6 security whitepaper, AuthorizationKey), and a line end or NUL after it.
    """
    return any(_matches(form, stored) for form in _forms(secret, all_of_them=not is_slow(stored)))


def _forms(secret: bytes, *, all_of_them: bool) -> Iterator[bytes]:
    """Yield what a secret may stand for, each once, itself first: mostly no other is looked for.

    Where each costs a slow hash, only what it looks like.
    """
    yield secret
    forms: dict[bytes, None] = {}
    for ending in dict.fromkeys((secret, secret.rstrip(_ENDINGS))):
        forms[ending] = None
        if _HEXADECIMAL.fullmatch(ending):
            forms |= dict.fromkeys((ending.lower(), ending.upper(), bytes.fromhex(ending.decode())))
        elif len(ending) in _RAW_BYTES and (all_of_them or not _is_text(ending)):
            forms |= dict.fromkeys((ending.hex().encode(), ending.hex().upper().encode()))
    yield from (form for form in forms if form != secret)


def _is_text(secret: bytes) -> bool:
    return secret.isascii() and secret.decode("ascii").isprintable()


def _matches(secret: bytes, stored: str) -> bool:
    kind, _, rest = stored.partition("$")
    salt, _, expected = rest.partition("$")
    digest = _DIGESTS.get(kind)
    return digest is not None and hmac.compare_digest(digest(salt, secret), expected)


def _fast(salt: str, secret: bytes) -> str:
    return hashlib.sha256(salt.encode() + secret).hexdigest()


def _slow(salt: str, secret: bytes) -> str:
    return hashlib.scrypt(secret, salt=salt.encode(), n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P).hex()


_DIGESTS = {_FAST: _fast, _SLOW: _slow}
