"""Whole numbers in as few bytes as they need: seven bits a byte, the lowest first, the top bit says that more follow (LEB128)."""

from __future__ import annotations

#: Bytes of the longest number: 63 bits.
MAX_NUMBER = 9


def unsigned(value: int) -> bytes:
    """A number from 0 to 2^63 - 1."""
    if not 0 <= value < 1 << 63:
        raise ValueError(f"{value} does not fit into 63 bits")
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def signed(value: int) -> bytes:
    """A number of either sign, small ones short: 0, -1, 1, -2, 2 ... become 0, 1, 2, 3, 4 ..."""
    return unsigned(2 * value if value >= 0 else -2 * value - 1)


class Cursor:
    """Reads numbers and bytes from a payload in order; `ValueError` where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self.position

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise ValueError(f"it ends where {count:,} more bytes should follow")
        self.position += count
        return self._data[self.position - count : self.position]

    def fixed(self, size: int, *, sign: bool = False) -> int:
        """A little-endian number of `size` bytes."""
        return int.from_bytes(self.take(size), "little", signed=sign)

    def unsigned(self) -> int:
        value = 0
        for place in range(MAX_NUMBER):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                return value
        raise ValueError("a number in it takes more than 63 bits")

    def signed(self) -> int:
        value = self.unsigned()
        return -(value + 1 >> 1) if value & 1 else value >> 1
