"""Plain text subtitles between SubRip (Matroska) and Timed Text (MP4, 3GPP TS 26.245): same words, same times, other packaging."""

from __future__ import annotations

import re

#: Codecs whose packets are plain text, by FFmpeg's names.
TEXT_CODECS = {"subrip", "text", "webvtt", "mov_text"}

#: From which FFmpeg's encoder makes the sample description of Timed Text: white sans serif, centred at the bottom.
STYLE = """[Script Info]
ScriptType: v4.00+
PlayResX: 384
PlayResY: 288

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, Alignment
Style: Default,Sans Serif,18,&Hffffff,2

[Events]
"""

_MARKUP = re.compile(r"</?(?:b|i|u|s|font|c|v|lang|ruby|rt)(?:[ .][^>]*)?>|\{\\[^}]*\}", re.IGNORECASE)


def convert_text(packet: bytes, source: str, target: str) -> bytes:
    """One subtitle's packet in another packaging. Markup that Timed Text can't carry inline is left out."""
    text = _mov_text_payload(packet) if source == "mov_text" else packet.decode("utf-8", "replace")
    if target != "mov_text":
        return text.encode()
    payload = _MARKUP.sub("", text).replace("\r\n", "\n").rstrip("\n").encode()[:65_535]
    return len(payload).to_bytes(2, "big") + payload


def _mov_text_payload(packet: bytes) -> str:
    text = packet[2 : 2 + int.from_bytes(packet[:2], "big")]
    return text.decode("utf-16" if text[:2] in (b"\xfe\xff", b"\xff\xfe") else "utf-8", "replace")
