"""The tables of images; each column is declared here, and nowhere else."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from chargebus_firmware.tables import BIG, ID, TIME, Tables


class ImageRow(Tables, table=True):
    """An image."""

    __tablename__ = "image"

    image_id: str = Field(primary_key=True, sa_type=ID)
    name: str
    version: str = Field(sa_type=ID)
    vendor: str = Field(sa_type=ID)
    models: list[str] = Field(sa_type=ARRAY(sa.String))
    from_versions: list[str] = Field(sa_type=ARRAY(sa.String))
    same_version: bool
    file_name: str
    url: str | None
    expected_sha256: str | None
    signing_certificate: str | None
    signature: str | None
    created_at: datetime = Field(sa_type=TIME)
    created_by: str
    state: str
    reason: str | None
    object_key: str | None
    size: int | None = Field(sa_type=BIG)
    sha256: str | None
    md5: str | None
    ready_at: datetime | None = Field(sa_type=TIME)


class UploadRow(Tables, table=True):
    """An upload of an image's content."""

    __tablename__ = "image_upload"

    upload_id: str = Field(primary_key=True, sa_type=ID)
    image_id: str = Field(sa_type=ID, index=True)
    size: int = Field(sa_type=BIG)
    made_at: datetime = Field(sa_type=TIME)
    expires_at: datetime = Field(sa_type=TIME, index=True)
    received: int = Field(sa_type=BIG)
    busy_by: str | None
    busy_until: datetime | None = Field(sa_type=TIME)
    state: str
    reason: str | None


class PieceRow(Tables, table=True):
    """A piece of an upload."""

    __tablename__ = "image_piece"

    upload_id: str = Field(primary_key=True, sa_type=ID)
    start: int = Field(primary_key=True, sa_type=BIG)
    size: int = Field(sa_type=BIG)
    object_key: str


class LeftoverRow(Tables, table=True):
    """An object that nothing names, or all below a folder (it ends with a slash): taken away when it is due."""

    __tablename__ = "leftover"

    name: str = Field(primary_key=True, sa_type=ID)
    due_at: datetime = Field(sa_type=TIME, index=True)
