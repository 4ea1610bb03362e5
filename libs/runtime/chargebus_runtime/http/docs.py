"""The page that shows OpenAPI, `/docs`: Swagger UI out of an installed package, so that it needs no internet."""

import importlib.util
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

_PACKAGE: Final = "fastapi_offline"  # for its files alone
# A browser that holds to it loads nothing from elsewhere, whatever the page says.
_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)


def install(app: FastAPI) -> None:
    """Serve the page and its files under `/docs`; it names them relatively, so that a prefix does no harm."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=app.title,
        swagger_js_url="docs/swagger-ui-bundle.js",
        swagger_css_url="docs/swagger-ui.css",
        swagger_favicon_url="docs/favicon.png",
        swagger_ui_parameters={"validatorUrl": None},
    )

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page.body, headers={"Content-Security-Policy": _POLICY})

    app.mount("/docs", StaticFiles(directory=_files()))


def _files() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        message = f"the package {_PACKAGE} is not installed, which has the files of /docs"
        raise ModuleNotFoundError(message)
    return Path(spec.submodule_search_locations[0]) / "static"
