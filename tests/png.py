"""Makes a PNG of a screen smaller: at most 256 colours, the most frequent ones, and packed as hard as zlib can.

Letters on a plain ground have thousands of colours, nearly all of them between two others that are frequent: nobody sees
the difference, and the file is a third. Only what a browser writes is read: 8 bits, RGB or RGBA, not interlaced.
Source: W3C, "Portable Network Graphics (PNG) Specification (Third Edition)".
"""

import struct
import zlib
from collections import Counter

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = 256


def smaller(data: bytes) -> bytes:
    """The same picture in fewer bytes."""
    width, height, pixels = decoded(data)
    counts = Counter(pixels)
    palette = [colour for colour, _ in counts.most_common(COLOURS)]
    index = {colour: nearest(colour, palette) for colour in counts}
    rows = bytearray()
    for at in range(0, width * height, width):
        rows.append(0)
        rows += bytes(index[pixel] for pixel in pixels[at:at + width])
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"PLTE", b"".join(palette)) + chunk(b"IDAT", zlib.compress(rows, 9)) \
        + chunk(b"IEND", b"")


def nearest(colour: bytes, palette: list[bytes]) -> int:
    return min(range(len(palette)), key=lambda at: sum((a - b) ** 2 for a, b in zip(colour, palette[at])))


def decoded(data: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and the RGB of each pixel."""
    if not data.startswith(SIGNATURE):
        raise ValueError("no PNG")
    packed, header, at = b"", None, len(SIGNATURE)
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    width, height, depth, colours, *_, interlaced = header
    if depth != 8 or colours not in (2, 6) or interlaced:
        raise ValueError("not what a browser writes")
    step = 3 if colours == 2 else 4
    raw, row_length = zlib.decompress(packed), width * step
    before, pixels = bytes(row_length), []
    for y in range(height):
        start = y * (row_length + 1)
        before = unfiltered(raw[start], raw[start + 1:start + 1 + row_length], before, step)
        pixels += [before[x:x + 3] for x in range(0, row_length, step)]
    return width, height, pixels


def unfiltered(kind: int, row: bytes, before: bytes, step: int) -> bytes:
    """A row as it was before it was filtered (PNG, 9.2)."""
    if kind == 0:
        return row
    if kind == 2 and not any(row):
        return before
    out = bytearray(row)
    for x, value in enumerate(row):
        left = out[x - step] if x >= step else 0
        above = before[x]
        corner = before[x - step] if x >= step else 0
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = above
        elif kind == 3:
            guess = (left + above) // 2
        else:
            estimate = left + above - corner
            guess = min((left, above, corner), key=lambda other: abs(estimate - other))
        out[x] = (value + guess) & 0xFF
    return bytes(out)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
