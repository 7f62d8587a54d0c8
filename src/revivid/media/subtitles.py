"""Plain text subtitles between SubRip (Matroska) and Timed Text (MP4, 3GPP TS 26.245): same words, same times, other packaging."""

from __future__ import annotations

import re

#: Codecs whose packets are plain text, by FFmpeg's names.
TEXT_CODECS = {"subrip", "text", "webvtt", "mov_text"}

_MARKUP = re.compile(r"</?(?:b|i|u|s|font|c|v|lang|ruby|rt)(?:[ .][^>]*)?>|\{\\[^}]*\}", re.IGNORECASE)


def convert_text(packet: bytes, source: str, target: str) -> bytes:
    """One subtitle's packet in another packaging. Markup that Timed Text can't carry inline is left out."""
    text = _mov_text_payload(packet) if source == "mov_text" else packet.decode("utf-8", "replace")
    if target != "mov_text":
        return text.encode()
    payload = _MARKUP.sub("", text).replace("\r\n", "\n").rstrip("\n").encode()[:65_535]
    return len(payload).to_bytes(2, "big") + payload


def _mov_text_payload(packet: bytes) -> str:
    length = int.from_bytes(packet[:2], "big")
    return packet[2 : 2 + length].decode("utf-8", "replace")


def text_header(codec: str) -> bytes:
    """The sample description that Timed Text needs (TextSampleEntry after its reserved fields): white sans serif at the bottom."""
    if codec != "mov_text":
        return b""
    display_flags = bytes(4)
    justification = bytes([1, 0xFF])  # centred, bottom
    background = bytes(4)
    text_box = bytes(8)
    style = bytes(4) + (1).to_bytes(2, "big") + bytes([0, 18]) + bytes([255, 255, 255, 255])
    font = b"Serif"
    table = (1).to_bytes(2, "big") + (1).to_bytes(2, "big") + bytes([len(font)]) + font
    return display_flags + justification + background + text_box + style + (8 + len(table)).to_bytes(4, "big") + b"ftab" + table
