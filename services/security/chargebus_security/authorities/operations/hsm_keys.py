"""Private keys as `cryptography` takes them, whose signatures come from elsewhere: only digests go there."""

from collections.abc import Callable
from typing import Any, Final, NoReturn, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding, PKCS1v15

Sign = Callable[[bytes, hashes.HashAlgorithm], bytes]
"""Returns the signature of a digest, as certificates have it (DER)."""

_STAYS: Final = "the key stays in its module: it only signs"


class _Elsewhere:
    """What every key that is elsewhere refuses, and that it is not copied."""

    def private_numbers(self) -> NoReturn:
        """Refuse."""
        raise NotImplementedError(_STAYS)

    def private_bytes(self, encoding: object, format: object, encryption_algorithm: object) -> NoReturn:  # noqa: A002
        """Refuse."""
        raise NotImplementedError(_STAYS)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


class EcKey(_Elsewhere, ec.EllipticCurvePrivateKey):
    """An ECDSA key that is elsewhere."""

    def __init__(self, public: ec.EllipticCurvePublicKey, sign: Sign) -> None:
        self._public = public
        self._sign = sign

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:  # noqa: ANN401 - a buffer
        """Sign with ECDSA."""
        hashed = signature_algorithm.algorithm
        if not isinstance(hashed, hashes.HashAlgorithm):
            raise NotImplementedError(_STAYS)
        return self._sign(_digest(data, hashed), hashed)

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Return the public key."""
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        """The curve."""
        return self._public.curve

    @property
    def key_size(self) -> int:
        """The length in bits."""
        return self._public.key_size

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> NoReturn:
        """Refuse."""
        raise NotImplementedError(_STAYS)


class RsaKey(_Elsewhere, rsa.RSAPrivateKey):
    """An RSA key that is elsewhere."""

    def __init__(self, public: rsa.RSAPublicKey, sign: Sign) -> None:
        self._public = public
        self._sign = sign

    def sign(self, data: Any, padding: AsymmetricPadding, algorithm: Any) -> bytes:  # noqa: ANN401 - a buffer
        """Sign with the padding of PKCS#1 1.5, which certificates have."""
        if not isinstance(padding, PKCS1v15) or not isinstance(algorithm, hashes.HashAlgorithm):
            raise NotImplementedError(_STAYS)
        return self._sign(_digest(data, algorithm), algorithm)

    def public_key(self) -> rsa.RSAPublicKey:
        """Return the public key."""
        return self._public

    @property
    def key_size(self) -> int:
        """The length in bits."""
        return self._public.key_size

    def decrypt(self, ciphertext: bytes, padding: AsymmetricPadding) -> NoReturn:
        """Refuse."""
        raise NotImplementedError(_STAYS)


def _digest(data: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()
