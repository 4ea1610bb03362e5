"""An image: what it brings, whom it is for, and where its bytes lie."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from urllib.parse import urlsplit

from chargebus_firmware.images.domain.signing import certificate_objections, signature_objection
from chargebus_firmware.images.errors import Objection
from chargebus_firmware.links.domain.locations import objection

State = Literal["empty", "ready", "refused"]

IMAGE: Final = "image"
"""The purpose of links whose target is an image."""


@dataclass(frozen=True)
class Image:
    """An image.

    Attributes:
        version: with which a station boots once it is installed.
        vendor, models: for which it is; no models: for all of the vendor.
        from_versions: on which it may be installed; none: on all.
        same_version: it may be installed where its own version runs.
        file_name: as stations see it.
        url: where it lies, if somebody else serves it; `object_key` if we do.
        expected_sha256: what the SHA-256 of its content has to be.
        sha256, md5, size: of its content, as far as known; by the MD5 OCPP's PublishFirmware knows a file.
        state: `empty` until its content is there, `refused` where that was not what it should be, with the reason.
    """

    image_id: str
    name: str
    version: str
    vendor: str
    models: tuple[str, ...]
    from_versions: tuple[str, ...]
    same_version: bool
    file_name: str
    url: str | None
    expected_sha256: str | None
    signing_certificate: str | None
    signature: str | None
    created_at: datetime
    created_by: str
    state: State = "empty"
    reason: str | None = None
    object_key: str | None = None
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None
    ready_at: datetime | None = None


@dataclass(frozen=True)
class Described:
    """What somebody says of a new image."""

    name: str
    version: str
    vendor: str
    models: tuple[str, ...] = ()
    from_versions: tuple[str, ...] = ()
    same_version: bool = False
    file_name: str | None = None
    url: str | None = None
    sha256: str | None = None
    signing_certificate: str | None = None
    signature: str | None = None


def misfit(image: Image, vendor: str, model: str, version: str) -> str | None:
    """Return why an image is not for a station of this make that runs this version; None: it is."""
    if vendor != image.vendor:
        return f"It is for {image.vendor}, and the station is of {vendor or 'an unknown vendor'}."
    if image.models and model not in image.models:
        return f"It is for the models {', '.join(image.models)}, and the station is a {model or 'unknown one'}."
    if version == image.version and not image.same_version:
        return f"The station runs {version} already."
    if image.from_versions and version not in image.from_versions and version != image.version:
        return f"It goes onto {', '.join(image.from_versions)}, and the station runs {version or 'an unknown version'}."
    return None


def objections(image: Image, now: datetime) -> Iterator[Objection]:
    """Yield what cannot be in what is said of a new image.

    Spec: OCPP 2.0.1 L01.FR.21 (a certificate goes with a signature), A00.FR.503 to 506 (keys)
    """
    if image.url is not None:
        yield from _url_objections(image.url)
        if image.expected_sha256 is None:
            yield Objection("sha256", "is needed with url: by it a station's file can be told from another")
    if (image.signing_certificate is None) != (image.signature is None):
        missing = "signature" if image.signature is None else "signing_certificate"
        yield Objection(missing, "a signing certificate and a signature go together")
    if image.signing_certificate is not None:
        for what in certificate_objections(image.signing_certificate, now):
            yield Objection("signing_certificate", what)


def content_objection(image: Image, sha256: str) -> str | None:
    """Return what is wrong with a content of this hash; None: it is what it should be."""
    if image.expected_sha256 is not None and sha256 != image.expected_sha256:
        return f"Its SHA-256 is {sha256}, and not {image.expected_sha256} as was said."
    if image.signing_certificate is None or image.signature is None:
        return None
    return signature_objection(image.signing_certificate, image.signature, bytes.fromhex(sha256))


def _url_objections(url: str) -> Iterator[Objection]:
    what = objection(url)
    if what:
        yield Objection("url", what)
    elif not urlsplit(url).path.strip("/"):
        yield Objection("url", "names a host and a file there")
