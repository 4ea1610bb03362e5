"""How secrets are made, kept and checked: API keys and the passwords of stations.

A generated secret has 160 random bits: no one guesses it, so one salted SHA-256 keeps it as safe as a slow hash
would, and a mass reconnect costs a microsecond a station. A secret that a person chose may be weak and is kept
with scrypt.
"""

import hashlib
import hmac
import secrets as random_source

_FAST = "sha256"
_SLOW = "scrypt"
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**14, 8, 1
_HEX_FORM_BYTES = 20  # an AuthorizationKey of OCPP 1.6 is 20 bytes, written as 40 hexadecimal digits


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
    """Return the stored form of a secret that a person chose; takes about 50 ms of CPU."""
    salt = random_source.token_hex(16)
    return f"{_SLOW}${salt}${_slow(salt, secret.encode())}"


def is_slow(stored: str) -> bool:
    """Tell whether checking against `stored` costs tens of milliseconds."""
    return stored.startswith(_SLOW + "$")


def verify(secret: bytes, stored: str) -> bool:
    """Compare in constant time; an empty or unknown stored form matches nothing.

    The 20 raw bytes that a 1.6 station makes of its hexadecimal AuthorizationKey match that key as well.
    """
    forms = [secret]
    if len(secret) == _HEX_FORM_BYTES:
        forms += [secret.hex().encode(), secret.hex().upper().encode()]
    matches = [_matches(form, stored) for form in forms]
    return any(matches)


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
