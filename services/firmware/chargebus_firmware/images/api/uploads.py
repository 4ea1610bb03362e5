"""HTTP in: uploads that may be interrupted, as any client of tus sends them.

Spec: tus 1.0.0, with creation, checksum, expiration and termination
"""

from dataclasses import dataclass
from datetime import UTC
from email.utils import format_datetime
from typing import Annotated, Any, Final

from chargebus_objects import TooLargeError
from chargebus_runtime.http import FieldError, Problem, raises
from fastapi import APIRouter, Depends, Header, Request, Response

from chargebus_firmware.images.api.images import OCTETS, OPERATOR, VIEWER, received
from chargebus_firmware.images.api.problems import TUS, problems
from chargebus_firmware.images.domain.upload import ALGORITHMS, Checksum, Upload
from chargebus_firmware.images.operations.uploads import Uploads
from chargebus_firmware.images.resources import UploadOut

_VERSION: Final = "1.0.0"
_OFFSET_TYPE: Final = "application/offset+octet-stream"
_EXTENSIONS: Final = "creation,checksum,expiration,termination"
_WHOLE: Final = r"^(0|[1-9][0-9]{0,17})$"

_BODY: Final[dict[str, Any]] = {"requestBody": {"required": True, "content": {_OFFSET_TYPE: {"schema": OCTETS}}}}


@dataclass(frozen=True)
class Sent:
    """What a call says of its body."""

    upload_offset: Annotated[str, Header(pattern=_WHOLE, description="Where the body goes on")]
    upload_checksum: Annotated[
        str | None, Header(description=f"Of the body: {', '.join(ALGORITHMS)}, a space, and the hash in base64")
    ] = None


async def _speaks_tus(
    tus_resumable: Annotated[str, Header(json_schema_extra={"enum": [_VERSION]}, description="The version of tus")],
) -> None:
    if tus_resumable != _VERSION:
        detail = f"Uploads speak tus {_VERSION}, and not {tus_resumable}."
        raise Problem(412, "another version of tus", detail, {**TUS, "Tus-Version": _VERSION})


TUS_SPOKEN: Final = Depends(_speaks_tus)


def router(uploads: Uploads) -> APIRouter:
    """Return the routes of uploads."""
    routes = APIRouter(prefix="/firmware/images/{image_id}/uploads", tags=["firmware images"])

    @routes.options("", summary="What uploads can do", status_code=204, dependencies=[VIEWER])
    async def show_abilities(image_id: str, response: Response) -> None:  # noqa: ARG001 - a part of the path
        response.headers.update(
            {
                **TUS,
                "Allow": "OPTIONS, POST",
                "Tus-Version": _VERSION,
                "Tus-Extension": _EXTENSIONS,
                "Tus-Max-Size": str(uploads.max_bytes),
                "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
            }
        )

    @routes.post(
        "",
        summary="Begin an upload of an image's content",
        status_code=201,
        dependencies=[OPERATOR, TUS_SPOKEN],
        responses=raises(404, 409, 412, 413),
    )
    async def begin_upload(
        image_id: str,
        request: Request,
        response: Response,
        upload_length: Annotated[str, Header(pattern=_WHOLE, description="Of the whole, in bytes")],
    ) -> UploadOut:
        """`Location` is where it goes on: HEAD tells the offset, PATCH sends what follows."""
        with problems():
            upload = await uploads.create(image_id, int(upload_length))
        response.headers.update(_told(upload))
        response.headers["Location"] = f"{request.url.path}/{upload.upload_id}"
        return UploadOut.model_validate(upload)

    @routes.get("/{upload_id}", summary="Show an upload", dependencies=[VIEWER], responses=raises(404))
    async def show_upload(image_id: str, upload_id: str, response: Response) -> UploadOut:
        """As HEAD does, whose `Upload-Offset` says where it goes on."""
        with problems():
            upload = await uploads.find(image_id, upload_id)
        response.headers.update({**_told(upload), "Cache-Control": "no-store"})
        return UploadOut.model_validate(upload)

    @routes.patch(
        "/{upload_id}",
        summary="Go on with an upload",
        status_code=204,
        dependencies=[OPERATOR, TUS_SPOKEN],
        responses=raises(400, 404, 409, 412, 413, 415, 460),
        openapi_extra=_BODY,
    )
    async def append(
        image_id: str,
        upload_id: str,
        request: Request,
        response: Response,
        sent: Annotated[Sent, Depends()],
    ) -> None:
        """The last one gives the image its content, if that is what was said of it; else it is a 422 that says why."""
        if request.headers.get("content-type") != _OFFSET_TYPE:
            raise Problem(415, "another media type", f"The body of an upload is {_OFFSET_TYPE}.")
        checksum = _checksum(sent.upload_checksum)
        with problems():
            announced = request.headers.get("content-length", "")
            if announced.isdecimal() and int(announced) > uploads.max_bytes:
                raise TooLargeError(f"An image has {uploads.max_bytes} bytes at most.")
            at = image_id, upload_id
            upload = await uploads.append(at, int(sent.upload_offset), received(request), checksum)
        response.headers.update(_told(upload))

    @routes.delete(
        "/{upload_id}",
        summary="Give an upload up",
        status_code=204,
        dependencies=[OPERATOR, TUS_SPOKEN],
        responses=raises(404, 409, 412),
    )
    async def end_upload(image_id: str, upload_id: str, response: Response) -> None:
        with problems():
            await uploads.end(image_id, upload_id)
        response.headers.update(TUS)

    return routes


def _checksum(header: str | None) -> Checksum | None:
    try:
        return None if header is None else Checksum.of(header)
    except ValueError as error:
        raise Problem(422, "invalid request", errors=[FieldError("header.upload-checksum", str(error))]) from error


def _told(upload: Upload) -> dict[str, str]:
    return {
        **TUS,
        "Upload-Offset": str(upload.received),
        "Upload-Length": str(upload.size),
        "Upload-Expires": format_datetime(upload.expires_at.astimezone(UTC), usegmt=True),
    }
