"""What is inside of an uploaded file, and pages of its text: archives are read as data, within bounds, and never run.

Nothing is unpacked to a disk: names of members are shown, and used for nothing. Each look may inflate so many bytes
and take so long; what goes beyond is cut off and said to be. Members that are compressed by gzip within an archive are
inflated once more; archives within archives are bytes.
"""

import codecs
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

from chargebus_firmware.logs.errors import LookError

Form: TypeAlias = Literal["zip", "tar", "tar.gz", "gz", "plain"]
Cut: TypeAlias = Literal["", "entries", "bytes", "time", "broken"]

MOST_ENTRIES: Final = 1000
MOST_INFLATED: Final = 64 * 1024 * 1024
_MOST_AT_ONCE: Final = 4 * 1024 * 1024
_CHUNK: Final = 64 * 1024
_BLOCK: Final = 512
_NAME_LIMIT: Final = 500
_LONG_NAME: Final = 64 * 1024
_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_READABLE: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED: Final = 0x1
_DAMAGED: Final = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, ValueError, OSError, NotImplementedError)


class Source(Protocol):
    """The bytes of a file."""

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def read_at(self, start: int, end: int) -> bytes:
        """Return those from `start` up to, and without, `end`; there are as many."""
        ...


class _EnoughError(Exception):
    """A bound is reached; the text says which."""


@dataclass
class Budget:
    """How many bytes a look may inflate, and whether its time is over."""

    is_over: Callable[[], bool]
    left: int = MOST_INFLATED

    def spend(self, count: int) -> None:
        """Take note of so many bytes that were read.

        Raises:
            _EnoughError: there were too many, or it took too long.
        """
        self.left -= count
        if self.left < 0:
            raise _EnoughError("bytes")
        if self.is_over():
            raise _EnoughError("time")


@dataclass(frozen=True)
class Entry:
    """A member of an archive, by its number in it; `why_not`: it is shown, and cannot be looked into."""

    number: int
    name: str
    size: int | None
    why_not: str = ""


@dataclass
class Inside:
    """What is inside of a file; `cut`: by which bound there is more than is shown."""

    form: Form
    entries: list[Entry] = field(default_factory=list)
    cut: Cut = ""


@dataclass(frozen=True)
class Text:
    """A page of text: from the byte `start`; `next_start`: where the next one begins, None at the end."""

    text: str
    start: int
    next_start: int | None
    cut: Cut = ""


def inside(source: Source, name: str, budget: Budget) -> Inside:
    """Return what is inside of a file of that name; one that is no archive is its own one entry."""
    form = form_of(source, budget)
    found = Inside(form)
    with _cut(found):
        if form in ("plain", "gz"):
            shown = name if form == "plain" else _without_suffix(name)
            found.entries.append(Entry(0, shown_name(shown), source.size if form == "plain" else None))
            return found
        entries = _zip_entries(source) if form == "zip" else _tar_entries(_unpacked(source, form, budget))
        for entry in entries:
            if len(found.entries) >= MOST_ENTRIES:
                found.cut = "entries"
                break
            budget.spend(0)
            found.entries.append(entry)
    return found


def text(source: Source, number: int, start: int, limit: int, budget: Budget) -> Text:
    """Return up to `limit` bytes of an entry as text, from its byte `start` on.

    Raises:
        LookError: there is no such entry, or it cannot be looked into.
    """
    content, cut = bytearray(), _Mark()
    with _cut(cut):
        passed = 0
        for chunk in _member(source, number, start, budget):
            if passed + len(chunk) > start:
                content += chunk[max(start - passed, 0) :]
            passed += len(chunk)
            if len(content) > limit:
                break
    more = len(content) > limit
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    shown = decoder.decode(bytes(content[:limit]), final=not more)
    unread = len(decoder.getstate()[0])
    return Text(shown, start, start + limit - unread if more else None, cut.cut)


def form_of(source: Source, budget: Budget) -> Form:
    """Return what a file is, by its first bytes."""
    head = source.read_at(0, min(source.size, _BLOCK))
    if head.startswith(_ZIP):
        return "zip"
    if head.startswith(_GZIP):
        with suppress(_EnoughError, *_DAMAGED):
            if _is_tar(_Stream(_inflated(_chunks(source, 0), budget)).at_most(_BLOCK)):
                return "tar.gz"
        return "gz"
    return "tar" if _is_tar(head) else "plain"


def shown_name(name: str) -> str:
    """Return the name of a member as it can be shown: it may hold anything."""
    return "".join(each if each.isprintable() else "\ufffd" for each in name[:_NAME_LIMIT])


@dataclass
class _Mark:
    cut: Cut = ""


class _cut:  # noqa: N801 - reads as what it does
    """Notes on what stands in its block at which bound it ended, or that the file is damaged from there on."""

    def __init__(self, mark: "_Mark | Inside") -> None:
        self._mark = mark

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        """Take an end that is no fault of ours."""
        if isinstance(error, _EnoughError):
            self._mark.cut = "time" if str(error) == "time" else "bytes"
            return True
        if isinstance(error, _DAMAGED):
            self._mark.cut = "broken"
            return True
        return False


def _member(source: Source, number: int, start: int, budget: Budget) -> Iterator[bytes]:
    """Yield what is in an entry; of a plain file nothing before `start` is read."""
    form = form_of(source, budget)
    if form in ("plain", "gz") and number != 0:
        raise LookError("The file is no archive: it has the entry 0 alone.")
    match form:
        case "plain":
            if start:
                yield from _skipped(start)
            yield from _chunks(source, start)
        case "gz":
            yield from _inflated(_chunks(source, 0), budget)
        case "zip":
            yield from _once_more(_zip_member(source, number, budget), budget)
        case _:
            yield from _once_more(_tar_member(_unpacked(source, form, budget), number), budget)


def _skipped(count: int) -> Iterator[bytes]:
    """Stand for bytes that nobody looks at."""
    while count > 0:
        yield bytes(min(count, _CHUNK))
        count -= _CHUNK


def _chunks(source: Source, start: int) -> Iterator[bytes]:
    while start < source.size:
        end = min(start + _CHUNK, source.size)
        yield source.read_at(start, end)
        start = end


def _inflated(chunks: Iterator[bytes], budget: Budget) -> Iterator[bytes]:
    """Yield what gzip makes of chunks, however many members there are, in pieces of a bounded size."""
    inflating, begun = zlib.decompressobj(wbits=31), False
    for chunk in chunks:
        waiting = chunk
        while waiting:
            if inflating.eof:
                if not waiting.startswith(_GZIP[:1]):  # padding behind the last member
                    return
                inflating = zlib.decompressobj(wbits=31)
            piece = inflating.decompress(waiting, _CHUNK)
            waiting = inflating.unused_data if inflating.eof else inflating.unconsumed_tail
            begun = True
            budget.spend(len(piece))
            if piece:
                yield piece
    if not begun or not inflating.eof:
        raise EOFError("the file ends before gzip does")


def _once_more(chunks: Iterator[bytes], budget: Budget) -> Iterator[bytes]:
    """Yield chunks; those of a gzip file as what it holds."""
    first = next(chunks, b"")
    rest = _joined(first, chunks)
    yield from _inflated(rest, budget) if first.startswith(_GZIP) else rest


def _joined(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


# Zip


class _Seekable(io.RawIOBase):
    """A source as zipfile wants it; nothing large is read at once, however large its directory says it is."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        from_ = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._source.size}[whence]
        if from_ + offset < 0:
            raise OSError("before the beginning")
        self._at = from_ + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self._source.size if size < 0 else min(self._at + size, self._source.size)
        if end - self._at > _MOST_AT_ONCE:
            raise _EnoughError("bytes")
        content = self._source.read_at(self._at, end) if end > self._at else b""
        self._at += len(content)
        return content


def _zip_entries(source: Source) -> Iterator[Entry]:
    with zipfile.ZipFile(_Seekable(source)) as archive:
        for number, info in enumerate(archive.infolist()):
            yield Entry(number, shown_name(info.filename), info.file_size, _zip_why_not(info))


def _zip_why_not(info: zipfile.ZipInfo) -> str:
    if info.is_dir():
        return "it is a folder"
    if info.flag_bits & _ENCRYPTED:
        return "it is encrypted"
    return "" if info.compress_type in _READABLE else "its compression is not read here"


def _zip_member(source: Source, number: int, budget: Budget) -> Iterator[bytes]:
    with zipfile.ZipFile(_Seekable(source)) as archive:
        members = archive.infolist()
        if number >= len(members):
            raise LookError(f"It has the entries 0 to {len(members) - 1}." if members else "It has no entries.")
        if why_not := _zip_why_not(members[number]):
            raise LookError(f"It cannot be looked into: {why_not}.")
        with archive.open(members[number]) as member:
            while chunk := member.read(_CHUNK):
                budget.spend(len(chunk))
                yield chunk


# Tar


class _Stream:
    """Chunks, read by count."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._waiting = b""

    def at_most(self, count: int) -> bytes:
        """Return so many bytes, or fewer at the end."""
        found = bytearray()
        for piece in self.pieces(count):
            found += piece
        return bytes(found)

    def pieces(self, count: int) -> Iterator[bytes]:
        """Yield so many bytes as they come, or fewer at the end."""
        while count > 0:
            chunk = self._waiting or next(self._chunks, b"")
            if not chunk:
                return
            piece, self._waiting = chunk[:count], chunk[count:]
            count -= len(piece)
            yield piece

    def skip(self, count: int) -> None:
        """Pass over so many bytes."""
        for _ in self.pieces(count):
            pass


def _unpacked(source: Source, form: Form, budget: Budget) -> Iterator[bytes]:
    if form == "tar.gz":
        yield from _inflated(_chunks(source, 0), budget)
        return
    for chunk in _chunks(source, 0):
        budget.spend(len(chunk))
        yield chunk


def _is_tar(head: bytes) -> bool:
    with suppress(*_DAMAGED):
        return len(head) == _BLOCK and bool(head.strip(b"\0")) and bool(_header(head).name)
    return False


def _header(block: bytes) -> tarfile.TarInfo:
    return tarfile.TarInfo.frombuf(block, "utf-8", "replace")


def _tar_members(stream: _Stream) -> Iterator[tuple[tarfile.TarInfo, str]]:
    """Yield the headers of members with their names; what is not read of a member's content is passed over."""
    name = ""
    while (block := stream.at_most(_BLOCK)).strip(b"\0"):
        header = _header(block)
        padding = -header.size % _BLOCK
        if header.size < 0:
            raise tarfile.TarError("a size below zero")
        if header.type in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE):
            told = stream.at_most(min(header.size, _LONG_NAME))
            stream.skip(header.size - len(told) + padding)
            name = _long_name(told, header.type) or name
            continue
        if header.type in (tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK):
            stream.skip(header.size + padding)
            continue
        yield header, name or header.name
        name = ""


def _long_name(told: bytes, kind: bytes) -> str:
    if kind == tarfile.GNUTYPE_LONGNAME:
        return told.rstrip(b"\0").decode("utf-8", "replace")
    found = next((line for line in told.split(b"\n") if b" path=" in line), b"")
    return found.partition(b" path=")[2].decode("utf-8", "replace")


def _tar_entries(chunks: Iterator[bytes]) -> Iterator[Entry]:
    stream = _Stream(chunks)
    for number, (header, name) in enumerate(_tar_members(stream)):
        yield Entry(number, shown_name(name), header.size, _tar_why_not(header))
        stream.skip(_content_size(header) + -_content_size(header) % _BLOCK)


def _tar_member(chunks: Iterator[bytes], number: int) -> Iterator[bytes]:
    stream, count = _Stream(chunks), 0
    for count, (header, _) in enumerate(_tar_members(stream)):
        if count == number:
            if why_not := _tar_why_not(header):
                raise LookError(f"It cannot be looked into: {why_not}.")
            yield from stream.pieces(header.size)
            return
        stream.skip(_content_size(header) + -_content_size(header) % _BLOCK)
    raise LookError(f"It has no entry {number}.")


def _tar_why_not(header: tarfile.TarInfo) -> str:
    if header.isreg():
        return "its form is not read here" if header.type == tarfile.GNUTYPE_SPARSE else ""
    return "it is a folder" if header.isdir() else "it is no file"


def _content_size(header: tarfile.TarInfo) -> int:
    """Return how many bytes follow a header: links and devices have none, whatever they say."""
    return header.size if header.isreg() else 0


def _without_suffix(name: str) -> str:
    return name[: -len(".gz")] if name.lower().endswith(".gz") else name
