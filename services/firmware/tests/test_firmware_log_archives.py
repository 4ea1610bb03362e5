"""Looking into uploaded files: what is there is listed, and shown as text, within bounds."""

import contextlib
import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile

import pytest
from chargebus_firmware.logs.domain import archives
from chargebus_firmware.logs.domain.archives import Budget, Entry
from chargebus_firmware.logs.errors import LookError
from hypothesis import given, settings
from hypothesis import strategies as st

LINES = b"".join(b"2026-05-01T12:00:%02d line %d\n" % (number % 60, number) for number in range(5000))


class Content:
    """A file in memory."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.size = len(content)

    def read_at(self, start: int, end: int) -> bytes:
        assert 0 <= start <= end <= self.size
        return self.content[start:end]


def budget(left: int = archives.MOST_INFLATED) -> Budget:
    return Budget(lambda: False, left)


def zipped(members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w", form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=form) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


MEMBERS = {"var/log/syslog": LINES, "var/log/empty": b"", "é" * 120 + ".txt": b"short"}
PACKED = {
    "zip": zipped(MEMBERS),
    "tar": tarred(MEMBERS),
    "tar.gz": tarred(MEMBERS, "w:gz", tarfile.GNU_FORMAT),
}


@pytest.mark.parametrize("form", PACKED)
def test_members_are_listed_and_shown(form):
    source = Content(PACKED[form])

    found = archives.inside(source, "x", budget())

    assert (found.form, found.cut) == (form, "")
    assert [(each.name, each.size) for each in found.entries] == [(name, len(each)) for name, each in MEMBERS.items()]
    assert archives.text(source, 2, 0, 1000, budget()).text == "short"
    assert archives.text(source, 1, 0, 1000, budget()) == archives.Text("", 0, None)
    shown, start = "", 0
    while start is not None:
        page = archives.text(source, 0, start, 40_000, budget())
        shown, start = shown + page.text, page.next_start
    assert shown.encode() == LINES


@pytest.mark.parametrize(("content", "form"), [(LINES, "plain"), (gzip.compress(LINES), "gz"), (b"", "plain")])
def test_a_file_that_is_no_archive_is_its_own_entry(content, form):
    source = Content(content)

    found = archives.inside(source, "syslog.gz", budget())

    assert (found.form, [each.number for each in found.entries]) == (form, [0])
    if content:
        page = archives.text(source, 0, 1000, 2000, budget())
        assert (page.text.encode(), page.next_start) == (LINES[1000:3000], 3000)
        with pytest.raises(LookError):
            archives.text(source, 1, 0, 100, budget())


def test_a_gzip_of_several_members_is_read_to_its_end():
    source = Content(gzip.compress(b"one ") + gzip.compress(b"two") + b"\0\0\0")

    assert archives.text(source, 0, 0, 100, budget()).text == "one two"


def test_a_gzip_within_an_archive_is_inflated_once():
    inner = gzip.compress(b"deep")

    assert archives.text(Content(zipped({"a.gz": inner})), 0, 0, 100, budget()).text == "deep"
    twice = archives.text(Content(tarred({"a.gz": gzip.compress(inner)})), 0, 0, 100, budget()).text
    assert "deep" not in twice


def test_characters_are_not_torn_between_pages():
    source = Content("aéü€😀".encode() * 500)
    shown, start = "", 0
    while start is not None:
        page = archives.text(source, 0, start, 1025, budget())
        shown, start = shown + page.text, page.next_start

    assert shown == "aéü€😀" * 500


def test_what_is_no_text_is_shown_as_far_as_it_goes():
    assert archives.text(Content(b"a\xff\x00b"), 0, 0, 100, budget()).text == "a\ufffd\x00b"


def test_names_of_members_are_harmless():
    names = ["../../etc/passwd", "/etc/shadow", "a\x1b[31m\nb", "x" * 2000]
    found = archives.inside(Content(zipped(dict.fromkeys(names, b"1"))), "x", budget())

    assert [each.name for each in found.entries] == [
        "../../etc/passwd",
        "/etc/shadow",
        "a\ufffd[31m\ufffdb",
        "x" * 500,
    ]


@pytest.mark.parametrize(
    "pack", [lambda big: zipped({"big": big}), gzip.compress, lambda big: tarred({"big": big}, "w:gz")]
)
def test_a_bomb_is_cut_off(pack):
    source = Content(pack(bytes(12 * 1024 * 1024)))
    tracemalloc.start()

    page = archives.text(source, 0, 10 * 1024 * 1024, 1000, budget(8 * 1024 * 1024))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (page.text, page.cut) == ("", "bytes")
    assert most < 2 * 1024 * 1024


def test_a_tar_whose_members_are_far_apart_is_listed_as_far_as_it_goes():
    source = Content(tarred({"a": b"1", "big": bytes(12 * 1024 * 1024), "behind": b"2"}, "w:gz"))

    found = archives.inside(source, "x", budget(8 * 1024 * 1024))

    assert ([each.name for each in found.entries], found.cut) == (["a", "big"], "bytes")


def test_of_too_many_members_the_first_are_listed():
    found = archives.inside(Content(tarred({f"m{number}": b"" for number in range(1200)})), "x", budget())

    assert (len(found.entries), found.cut) == (archives.MOST_ENTRIES, "entries")


def test_a_directory_that_says_it_is_huge_is_not_read():
    large = 8 * 1024 * 1024
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, large, 0, 0)
    lying = Content(b"PK\x03\x04" + bytes(100) + end)
    filled = Content(b"PK\x03\x04" + bytes(large - 4) + end)

    assert archives.inside(lying, "x", budget()).cut == "broken"
    assert archives.inside(filled, "x", budget()).cut == "bytes"


def test_a_look_that_takes_too_long_is_cut_off():
    over = iter([False] * 5 + [True] * 10_000)

    assert archives.text(Content(gzip.compress(LINES * 20)), 0, 10**8, 100, Budget(lambda: next(over))).cut == "time"


def test_what_is_encrypted_compressed_otherwise_or_no_file_is_listed_and_not_shown():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    for content, number in ((zipped({"a": LINES}, zipfile.ZIP_BZIP2), 0), (out.getvalue(), 0)):
        found = archives.inside(Content(content), "x", budget())
        assert found.entries[number].why_not
        with pytest.raises(LookError):
            archives.text(Content(content), number, 0, 100, budget())


@pytest.mark.parametrize("form", PACKED)
def test_a_piece_of_an_archive_is_shown_as_far_as_it_goes(form):
    source = Content(PACKED[form][: len(PACKED[form]) // 2])

    found = archives.inside(source, "x", budget())

    assert found.cut == ("" if form == "tar" else "broken") or found.entries
    assert all(isinstance(each, Entry) for each in found.entries)


@settings(max_examples=100)
@given(st.sampled_from(["", *PACKED]), st.binary(max_size=64), st.integers(0, 300_000), st.integers(0, 2000))
def test_whatever_comes_nothing_fails_but_as_it_is_said(form, noise, place, start):
    whole = PACKED.get(form, b"")
    place = min(place, len(whole))
    source = Content(whole[:place] + noise + whole[place + len(noise) :])

    assert archives.inside(source, "x", budget()).form
    with contextlib.suppress(LookError):
        archives.text(source, 0, start, 1024, budget())
