"""Compressed messages (RFC 7692): agreed on without context takeover, and never inflated beyond what is taken.

Without context takeover a connection that is idle holds no window: what (de)compresses a message goes with it. It costs
compression across messages, which are small and alike; docs/decisions/0066-compression-without-a-memory.md has figures.

Spec: OCPP 2.1 Part 4, 3.3 (a CSMS shall support it); OCPP 2.0.1 Part 4, 3.3 (it should)
"""

import zlib
from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

from websockets.exceptions import InvalidHeader, ProtocolError
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import CTRL_OPCODES, Frame, Opcode
from websockets.headers import parse_extension
from websockets.typing import ExtensionParameter

HEAD_BYTES: Final = 16 * 1024
"""What is kept of a payload that is larger than is taken."""

WORTH_BYTES: Final = 256
"""A message that is smaller is written as it stands: most answers are."""

WINDOW_BITS: Final = 12
"""A window of 4 KiB for what is written: our messages are hardly larger."""

_SETTINGS: Final = {"level": 1, "memLevel": 5}
_EMPTY_BLOCK: Final = b"\x00\x00\xff\xff"  # taken off the end of each message; RFC 7692 7.2.1

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
        self._inflating: zlib._Decompress | None = None  # of a compressed message that goes on
        self._left = 0  # how much more of that message is inflated

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:  # noqa: ARG002 - the bound is our own
        """Return a frame as it was before it was compressed.

        Raises:
            ProtocolError: it was not compressed as agreed.
        """
        if frame.opcode in CTRL_OPCODES:
            return frame
        if frame.opcode is Opcode.CONT:
            if self._inflating is None:
                return frame
            if frame.rsv1:
                raise ProtocolError("RSV1 bit set in continuation frame")
        elif frame.rsv1:
            self._inflating = zlib.decompressobj(wbits=-self.remote_max_window_bits)
            self._left = self._most + 1
        else:
            return frame
        size = self._sizes.pop() if len(frame.data) == HEAD_BYTES else len(frame.data)
        is_cut = size > len(frame.data)
        plain = self._inflate(self._inflating, frame, is_cut=is_cut)
        self._tally["received", "wire"] += size
        self._tally["received", "plain"] += len(plain)
        if len(plain) == HEAD_BYTES:
            self._sizes.append(size if is_cut else HEAD_BYTES)
        if frame.fin:
            self._inflating = None
        return Frame(frame.opcode, plain, frame.fin, rsv1=False, rsv2=frame.rsv2, rsv3=frame.rsv3)

    def encode(self, frame: Frame) -> Frame:
        """Return a frame as it is written; our messages are one frame each."""
        if frame.opcode in CTRL_OPCODES or len(frame.data) < WORTH_BYTES:
            return frame
        written = super().encode(frame)
        self._tally["sent", "plain"] += len(frame.data)
        self._tally["sent", "wire"] += len(written.data)
        return written

    def _inflate(self, inflating: "zlib._Decompress", frame: Frame, *, is_cut: bool) -> bytes:
        if self._left == 0:
            return b""
        data = bytes(frame.data) + _EMPTY_BLOCK if frame.fin and not is_cut else bytes(frame.data)
        try:
            plain = inflating.decompress(data, self._left)
        except zlib.error as error:
            raise ProtocolError(f"a compressed message cannot be read: {error}") from error
        self._left -= len(plain)
        if not is_cut:
            return plain
        self._left = 0
        return plain[:HEAD_BYTES].ljust(HEAD_BYTES)
