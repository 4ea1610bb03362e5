"""HTTP in: images, and contents that come in one call."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, Final

from chargebus_runtime.http import Caller, Listing, Page, PageQuery, Role, raises, require, streamed
from fastapi import APIRouter, Depends, Query, Request
from starlette.requests import ClientDisconnect

from chargebus_firmware.images.api.problems import problems
from chargebus_firmware.images.errors import BrokenOffError
from chargebus_firmware.images.operations.contents import Contents, check_size
from chargebus_firmware.images.operations.images import Filter, Images
from chargebus_firmware.images.resources import ImageIn, ImageOut

IMAGES: Final = Listing("firmware-images", str)
VIEWER: Final = Depends(require(Role.VIEWER))
OPERATOR: Final = Depends(require(Role.OPERATOR))
OCTETS: Final[dict[str, Any]] = {"type": "string", "format": "binary"}

_BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": OCTETS}}}
}


@dataclass(frozen=True)
class FilterQuery:
    """Which images are listed."""

    vendor: Annotated[str | None, Query(max_length=50)] = None
    version: Annotated[str | None, Query(max_length=50)] = None


def router(images: Images, contents: Contents) -> APIRouter:
    """Return the routes of images."""
    routes = APIRouter(prefix="/firmware/images", tags=["firmware images"])

    @routes.get("", summary="List images", dependencies=[VIEWER])
    async def list_images(
        paging: Annotated[PageQuery, Depends()], wanted: Annotated[FilterQuery, Depends()]
    ) -> Page[ImageOut]:
        """The newest first."""
        of = Filter(wanted.vendor, wanted.version)
        found = await images.page(IMAGES.after(paging) or "", of, paging.limit + 1)
        shown = [ImageOut.model_validate(each) for each in found]
        return IMAGES.page(shown, paging.limit, lambda image: image.image_id)

    @routes.post("", summary="Describe a new image", status_code=201)
    async def create_image(wanted: ImageIn, caller: Annotated[Caller, Depends(require(Role.OPERATOR))]) -> ImageOut:
        """Its content follows: in one call (PUT …/content), or in an upload that may be interrupted."""
        with problems():
            return ImageOut.model_validate(await images.create(wanted.described(), caller.key_id))

    @routes.get("/{image_id}", summary="Show an image", dependencies=[VIEWER], responses=raises(404))
    async def show_image(image_id: str) -> ImageOut:
        with problems():
            return ImageOut.model_validate(await images.find(image_id))

    @routes.delete(
        "/{image_id}",
        summary="Delete an image",
        status_code=204,
        dependencies=[OPERATOR],
        responses=raises(404, 409),
    )
    async def delete_image(image_id: str) -> None:
        """Refused while an update of it is under way. Stations that fetch it get no more of it."""
        with problems():
            await images.delete(image_id)

    @routes.put(
        "/{image_id}/content",
        summary="Send the content of an image",
        dependencies=[OPERATOR],
        responses=raises(400, 404, 409, 413),
        openapi_extra=_BODY,
    )
    async def put_content(image_id: str, request: Request) -> ImageOut:
        """As the body stands, in one call. What is said of the image is checked: SHA-256, signature."""
        with problems():
            announced = request.headers.get("content-length", "")
            if announced.isdecimal():
                check_size(int(announced), contents.max_bytes)
            return ImageOut.model_validate(await contents.put(image_id, received(request)))

    return routes


async def received(request: Request) -> AsyncIterator[bytes]:
    """Yield what a call brings.

    Raises:
        BrokenOffError: it broke off.
    """
    try:
        async for chunk in streamed(request):
            yield chunk
    except ClientDisconnect as error:
        raise BrokenOffError("What was sent ended before its end.") from error
