"""A key in a hardware security module, by PKCS#11: it never leaves it, and only digests go there to be signed.

Whatever is wrong with the module is told in one line, and tried again after a while: it is a device of its own, that
may be away. Only a PIN that was refused is not tried again before it is another: tokens lock after a few.

Spec: PKCS#11 2.40
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import pkcs11
from chargebus_certificates.proof import UNREADABLE
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.exceptions import (
    MultipleObjectsReturned,
    MultipleTokensReturned,
    NoSuchKey,
    NoSuchToken,
    PinExpired,
    PinIncorrect,
    PinInvalid,
    PinLenRange,
    PinLocked,
    PKCS11Error,
    UserAlreadyLoggedIn,
)
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key

from chargebus_security.authorities.domain.issuing import AuthorityFilesError, PrivateKey
from chargebus_security.authorities.domain.requests import PublicKey
from chargebus_security.authorities.operations.hsm_keys import EcKey, RsaKey
from chargebus_security.metrics import Metrics

log = logging.getLogger(__name__)

T = TypeVar("T")

AGAIN_AFTER_S: Final = 5.0
"""How long a module is left alone that did not work."""

_PIN_REFUSED: Final = (PinIncorrect, PinInvalid, PinLenRange, PinLocked, PinExpired)
_PROBE: Final = b"is this the key of the certificate?"
_MODULES: Final = threading.RLock()
"""Modules are not told that there are threads, for not all could do with them: they are asked one thing at a time."""

_DIGEST_INFO: Final = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
}
"""What stands before a digest that RSA signs. Spec: RFC 8017 9.2"""


class HsmError(AuthorityFilesError):
    """The module does not do what it is asked for; the message says why, and what to do."""


class HsmOptions(NamedTuple):
    """Where a key is: in the token of a label, under a label; what speaks with it is the module, a shared library.

    `pin` and `pin_file` are one or the other: a file may change while the process runs.
    """

    module: Path
    token: str
    key: str
    pin: str = ""
    pin_file: Path | None = None


class Hsm:
    """A token with a key. It is opened when it is first asked for something, and anew when it did not work."""

    def __init__(self, options: HsmOptions, metrics: Metrics, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._metrics = metrics
        self._monotonic = monotonic
        self._session: pkcs11.Session | None = None
        self._key: Any = None
        self._refused_pin: str | None = None
        self._failed: HsmError | None = None
        self._failed_at = 0.0

    def key_of(self, public: PublicKey) -> PrivateKey:
        """Return the key of a certificate: it signs in the module.

        Raises:
            HsmError: the module cannot be asked, or the key there is another.
        """
        if isinstance(public, rsa.RSAPublicKey):
            of_rsa = RsaKey(public, lambda digest, hashed: self._sign_rsa(public, digest, hashed))
            of_rsa.sign(_PROBE, padding.PKCS1v15(), hashes.SHA256())
            return of_rsa
        of_ec = EcKey(public, lambda digest, hashed: self._sign_ec(public, digest, hashed))
        of_ec.sign(_PROBE, ec.ECDSA(hashes.SHA256()))
        return of_ec

    def made_key(self) -> PrivateKey:
        """Return the key in the module, which is made there (P-256) where there is none under its label.

        Raises:
            HsmError: the module cannot be asked, or makes none.
        """
        return self.key_of(self._asked(self._found_or_made))

    def _sign_ec(self, public: ec.EllipticCurvePublicKey, digest: bytes, hashed: hashes.HashAlgorithm) -> bytes:
        def sign() -> bytes:
            raw = self._opened().sign(digest, mechanism=Mechanism.ECDSA)
            half = len(raw) // 2
            found = encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))
            public.verify(found, digest, ec.ECDSA(Prehashed(hashed)))
            return found

        return self._asked(sign)

    def _sign_rsa(self, public: rsa.RSAPublicKey, digest: bytes, hashed: hashes.HashAlgorithm) -> bytes:
        def sign() -> bytes:
            content = _DIGEST_INFO[hashed.name] + digest
            found: bytes = self._opened().sign(content, mechanism=Mechanism.RSA_PKCS)
            public.verify(found, digest, padding.PKCS1v15(), Prehashed(hashed))
            return found

        return self._asked(sign)

    def _asked(self, ask: Callable[[], T]) -> T:
        """Return what the module answers; where a session broke, it is asked once more in a new one."""
        begun = self._monotonic()
        with _MODULES:
            if self._failed is not None and self._monotonic() - self._failed_at < AGAIN_AFTER_S:
                raise self._failed
            was_open = self._session is not None
            try:
                try:
                    answer = ask()
                except PKCS11Error:
                    self._close()
                    if not was_open:
                        raise
                    answer = ask()
            except (PKCS11Error, InvalidSignature, HsmError, OSError, *UNREADABLE) as error:
                self._close()
                self._metrics.hsm_asked("failed", self._monotonic() - begun)
                raise self._noted(error) from error
            if self._failed is not None:
                log.info("the token %r answers again", self._options.token)
            self._failed = None
        self._metrics.hsm_asked("answered", self._monotonic() - begun)
        return answer

    def _noted(self, error: Exception) -> HsmError:
        """Return what to tell of an error; in the log it stands once, until it is another."""
        told = error if isinstance(error, HsmError) else HsmError(self._told(error))
        if self._failed is None or str(self._failed) != str(told):
            log.error("the authority's key cannot be used: %s", told)
        self._failed, self._failed_at = told, self._monotonic()
        return told

    def _told(self, error: Exception) -> str:
        token = self._options.token
        if isinstance(error, InvalidSignature):
            return f"the key {self._options.key!r} in the token {token!r} does not fit the certificate"
        if isinstance(error, NoSuchToken):
            return f"the module finds no token {token!r}"
        if isinstance(error, MultipleTokensReturned):
            return f"the module finds several tokens {token!r}: give them labels of their own"
        if isinstance(error, NoSuchKey):
            return f"the token {token!r} has no key {self._options.key!r}"
        if isinstance(error, MultipleObjectsReturned):
            return f"the token {token!r} has several keys {self._options.key!r}: give them labels of their own"
        return f"the token {token!r} of {self._options.module}: {type(error).__name__} {error}".rstrip()

    def _opened(self) -> Any:  # noqa: ANN401 - a private key that signs
        """Return the key, in a session that is there or is opened."""
        if self._key is None:
            session = self._session = self._logged_in()
            self._key = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=self._options.key)
        return self._key

    def _logged_in(self, *, writes: bool = False) -> pkcs11.Session:
        pin = self._pin()
        if pin == self._refused_pin:
            raise HsmError(
                f"the token {self._options.token!r} refused its PIN, which is not tried again: tokens lock after a few "
                "times. Change SECURITY_HSM_PIN_FILE, or SECURITY_HSM_PIN and start anew"
            )
        token = self._found_token()
        try:
            return token.open(user_pin=pin, rw=writes)
        except UserAlreadyLoggedIn:  # this process is, in another session
            return token.open(rw=writes)
        except _PIN_REFUSED as error:
            self._refused_pin = pin
            raise HsmError(f"the token {self._options.token!r} refuses the PIN: {type(error).__name__}") from error

    def _found_token(self) -> pkcs11.Token:
        module = pkcs11.lib(str(self._options.module))
        try:
            return module.get_token(token_label=self._options.token)
        except NoSuchToken:  # some modules look for tokens when they begin only
            module.reinitialize()
            return module.get_token(token_label=self._options.token)

    def _found_or_made(self) -> PublicKey:
        self._close()
        label = self._options.key
        session = self._logged_in(writes=True)
        try:
            try:
                found: Any = session.get_key(object_class=ObjectClass.PUBLIC_KEY, label=label)
            except NoSuchKey:
                curve = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
                parameters = session.create_domain_parameters(KeyType.EC, curve, local=True)
                found, _ = parameters.generate_keypair(
                    store=True,
                    label=label,
                    capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
                    private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
                )
                log.warning("the key %r was made in the token %r", label, self._options.token)
            public = load_der_public_key(
                encode_rsa_public_key(found) if found.key_type == KeyType.RSA else encode_ec_public_key(found)
            )
        finally:
            session.close()
        if not isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
            raise HsmError(f"the key {label!r} is neither ECDSA nor RSA")
        return public

    def _pin(self) -> str:
        if self._options.pin_file is None:
            return self._options.pin
        try:
            return self._options.pin_file.read_text().strip()
        except OSError as error:
            raise HsmError(f"the PIN in {self._options.pin_file} cannot be read: {error.strerror}") from error

    def _close(self) -> None:
        session, self._session, self._key = self._session, None, None
        if session is not None:
            with suppress(PKCS11Error):
                session.close()
