"""Compressed messages (RFC 7692): agreed on without context takeover, and never inflated beyond what is taken.

Without context takeover a connection that is idle holds no window: what (de)compresses a message goes with it. It costs
compression across messages, which are small and alike; docs/decisions/0066-compression-without-a-memory.md has figures.

Spec: OCPP 2.1 Part 4, 3.3 (a CSMS shall support it); OCPP 2.0.1 Part 4, 3.3 (it should)
"""

import zlib
from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

from websockets.exceptions import InvalidHeader, PayloadTooBig, ProtocolError
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import CTRL_OPCODES, Frame, Opcode
from websockets.headers import parse_extension
from websockets.typing import ExtensionParameter

HEAD_BYTES: Final = 16 * 1024
"""What is kept of a payload that is larger than is taken."""

ENDLESS_BYTES: Final = 64 * 1024 * 1024
"""A message so large that not even its end is waited for."""

WORTH_BYTES: Final = 256
"""A message that is smaller is written as it stands: most answers are."""

WINDOW_BITS: Final = 12
"""A window of 4 KiB for what is written: our messages are hardly larger."""

_SETTINGS: Final = {"level": 1, "memLevel": 5}
_EMPTY_BLOCK: Final = b"\x00\x00\xff\xff"  # taken off the end of each message; RFC 7692 7.2.1
_AFTER_THE_END: Final = frozenset({b"", b"\x00", _EMPTY_BLOCK, b"\x00" + _EMPTY_BLOCK})
"""What may follow a block that says it is the last: an empty one, with its end or without; RFC 7692 7.2.3.4"""

Tally = Counter[tuple[str, str]]
"""Bytes of compressed messages, by direction (received, sent) and form (wire, plain)."""


def is_offer(header: str) -> bool:
    """Tell whether a Sec-WebSocket-Extensions header can be read; one that cannot offers nothing."""
    try:
        parse_extension(header)
    except InvalidHeader:
        return False
    return True


class DeflateOffer(ServerPerMessageDeflateFactory):
    """What is agreed on with one station that offers compression.

    Args:
        most: how many bytes a message may have that is taken.
        sizes: for each payload that comes out of the reader with `HEAD_BYTES`, how large it was, in order.
        tally: where bytes are counted.
    """

    def __init__(self, most: int, sizes: deque[int], tally: Tally) -> None:
        super().__init__(
            server_no_context_takeover=True,
            client_no_context_takeover=True,
            server_max_window_bits=WINDOW_BITS,
            compress_settings=_SETTINGS,
        )
        self._most, self._sizes, self._tally = most, sizes, tally

    def process_request_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> tuple[list[ExtensionParameter], PerMessageDeflate]:
        """Return what is answered to an offer, and what (de)compresses by it.

        Raises:
            NegotiationError: nothing can be agreed on; the connection goes on without.
        """
        answer, agreed = super().process_request_params(params, accepted_extensions)
        return answer, BoundedDeflate(agreed, self._most, self._sizes, self._tally)


class BoundedDeflate(PerMessageDeflate):
    """Compresses and decompresses the messages of one connection, each by itself.

    Of a message that is larger than is taken, one byte more than that is inflated, and no more: so it is seen to be too
    large, and refused as any other. A payload of which the reader kept only the beginning is too large by itself.
    """

    def __init__(self, agreed: PerMessageDeflate, most: int, sizes: deque[int], tally: Tally) -> None:
        super().__init__(
            remote_no_context_takeover=True,
            local_no_context_takeover=True,
            remote_max_window_bits=agreed.remote_max_window_bits,
            local_max_window_bits=agreed.local_max_window_bits,
            compress_settings=_SETTINGS,
        )
        self._most, self._sizes, self._tally = most, sizes, tally
        self._message: _Compressed | None = None  # a compressed message that goes on

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:  # noqa: ARG002 - the bound is our own
        """Return a frame as it was before it was compressed.

        Raises:
            ProtocolError: it was not compressed as agreed.
            PayloadTooBig: its message would never end.
        """
        if frame.opcode in CTRL_OPCODES:
            return frame
        if frame.opcode is Opcode.CONT:
            if self._message is None:
                return frame
            if frame.rsv1:
                raise ProtocolError("RSV1 bit set in continuation frame")
        elif frame.rsv1:
            self._message = _Compressed(self.remote_max_window_bits, self._most)
        else:
            return frame
        size = self._sizes.pop() if len(frame.data) == HEAD_BYTES else len(frame.data)
        plain = self._message.inflate(frame, size)
        self._tally["received", "wire"] += size
        self._tally["received", "plain"] += len(plain)
        if len(plain) == HEAD_BYTES:
            self._sizes.append(size if size > len(frame.data) else HEAD_BYTES)
        if frame.fin:
            self._message = None
        return Frame(frame.opcode, plain, frame.fin, rsv1=False, rsv2=frame.rsv2, rsv3=frame.rsv3)

    def encode(self, frame: Frame) -> Frame:
        """Return a frame as it is written; our messages are one frame each."""
        if frame.opcode in CTRL_OPCODES or len(frame.data) < WORTH_BYTES:
            return frame
        written = super().encode(frame)
        self._tally["sent", "plain"] += len(frame.data)
        self._tally["sent", "wire"] += len(written.data)
        return written


class _Compressed:
    """A message that is inflated as its frames come, until it is seen to be too large."""

    def __init__(self, window_bits: int, most: int) -> None:
        self._inflating: zlib._Decompress | None = zlib.decompressobj(wbits=-window_bits)  # until it is too large
        self._left = most + 1  # how much more of it is inflated
        self._wire = 0  # how much of it has come, in bytes

    def inflate(self, frame: Frame, size: int) -> bytes:
        """Return what a frame adds to it: nothing, once it is too large.

        Args:
            frame: with the payload, or only its first `HEAD_BYTES`.
            size: how large the payload was.

        Raises:
            ProtocolError: it was not compressed as agreed.
            PayloadTooBig: its frames are endless, however little they inflate to.
        """
        self._wire += size
        if self._wire > ENDLESS_BYTES:
            raise PayloadTooBig(self._wire, ENDLESS_BYTES)
        if self._inflating is None:
            return b""
        is_cut = size > len(frame.data)
        data = bytes(frame.data) + _EMPTY_BLOCK if frame.fin and not is_cut else bytes(frame.data)
        try:
            plain = self._inflating.decompress(data, self._left)
        except zlib.error as error:
            raise ProtocolError(f"a compressed message cannot be read: {error}") from error
        if self._inflating.unused_data not in _AFTER_THE_END:
            raise ProtocolError("a compressed message goes on after its last block")
        self._left -= len(plain)
        if is_cut or self._left == 0:
            self._inflating = None  # with what it holds
        return plain[:HEAD_BYTES].ljust(HEAD_BYTES) if is_cut else plain
