"""CRC-32C (Castagnoli), the checksum of LevelDB, fast enough for databases of images.

The CRC of a message is linear in its bits, so columns of 256 bytes each are worked on side by side, a byte of every
column at a time, and joined at the end.
"""

from functools import cache

import numpy as np

_POLYNOMIAL = 0x82F63B78
_COLUMN = 256
_SPREAD = 0xA282EAD8


def masked(data: bytes) -> bytes:
    """The checksum of at least four bytes as LevelDB stores it: rotated and shifted, four bytes."""
    crc = crc32c(data)
    return (((crc >> 15 | crc << 17) + _SPREAD) & 0xFFFFFFFF).to_bytes(4, "little")


def crc32c(data: bytes) -> int:
    """The checksum of at least four bytes."""
    columns = -(-len(data) // _COLUMN)
    padded = np.zeros(columns * _COLUMN, np.uint8)  # zeros in front do not change the CRC
    padded[-len(data) :] = np.frombuffer(data, np.uint8)
    padded[len(padded) - len(data) :][:4] ^= 0xFF  # the CRC starts from all ones
    parts = np.zeros(columns, np.uint32)
    table = _byte_table()
    for byte in padded.reshape(columns, _COLUMN).T:
        parts = table[(parts ^ byte) & 0xFF] ^ parts >> 8
    ahead = _column_table()
    crc = 0
    for part in parts.tolist():
        crc = ahead[0][crc & 0xFF] ^ ahead[1][crc >> 8 & 0xFF] ^ ahead[2][crc >> 16 & 0xFF] ^ ahead[3][crc >> 24] ^ part
    return crc ^ 0xFFFFFFFF


@cache
def _byte_table() -> np.ndarray:
    """What a byte in front of a zero CRC turns it into."""
    table: np.ndarray = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = table >> 1 ^ np.where(table & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    return table


@cache
def _column_table() -> list[list[int]]:
    """What each byte of a CRC turns into when a column of zeros follows."""
    parts: np.ndarray = np.arange(256, dtype=np.uint32)[None] << np.array([[0], [8], [16], [24]], np.uint32)
    for _ in range(_COLUMN):
        parts = _byte_table()[parts & 0xFF] ^ parts >> 8
    return parts.tolist()
