#!/usr/bin/env python3
"""Writes framings.jsonl: frames of every framing, built with the standard library only.

Run: python3 make_framings.py > framings.jsonl
Each line: framing (preset name), body (hex), tpdu (hex or null), frame (hex).
"""
import json
import struct
from functools import reduce

TPDU = bytes.fromhex("6000030000")
ISO = b"ISO000000000"


def bcd(n, size):
    return bytes.fromhex(str(n).zfill(2 * size))


def lrc(data):
    return bytes([reduce(lambda a, b: a ^ b, data, 0)])


FRAMINGS = {
    "2-byte-be": lambda b: struct.pack(">H", len(b)) + b,
    "2-byte-be-inclusive": lambda b: struct.pack(">H", len(b) + 2) + b,
    "2-byte-le": lambda b: struct.pack("<H", len(b)) + b,
    "2-byte-bcd": lambda b: bcd(len(b), 2) + b,
    "3-byte-be": lambda b: struct.pack(">I", len(b))[1:] + b,
    "4-byte-be": lambda b: struct.pack(">I", len(b)) + b,
    "4-byte-be-inclusive": lambda b: struct.pack(">I", len(b) + 4) + b,
    "4-ascii": lambda b: b"%04d" % len(b) + b,
    "4-ascii-inclusive": lambda b: b"%04d" % (len(b) + 4) + b,
    "4-ascii-hex": lambda b: b"%04X" % len(b) + b,
    "2-byte-be-0000": lambda b: struct.pack(">HH", len(b), 0) + b,
    "0000-2-byte-be": lambda b: struct.pack(">HH", 0, len(b)) + b,
    "2-byte-be-tpdu": lambda b: struct.pack(">H", len(b) + 5) + TPDU + b,
    "2-byte-bcd-tpdu": lambda b: bcd(len(b) + 5, 2) + TPDU + b,
    "4-ascii-tpdu": lambda b: b"%04d" % (len(b) + 5) + TPDU + b,
    "2-byte-be-iso": lambda b: struct.pack(">H", len(b) + 12) + ISO + b,
    "4-ascii-iso": lambda b: b"%04d" % (len(b) + 12) + ISO + b,
    "2-byte-be-etx": lambda b: struct.pack(">H", len(b) + 1) + b + b"\x03",
    "etx-terminated": lambda b: b + b"\x03",
    "stx-etx-lrc": lambda b: b"\x02" + b + b"\x03" + lrc(b + b"\x03"),
    "2-byte-be-stx-etx-lrc": lambda b: b"\x02" + struct.pack(">H", len(b)) + b + b"\x03"
    + lrc(struct.pack(">H", len(b)) + b + b"\x03"),
}

# Free of 03, so that every framing can carry them; lengths that tell the codings apart.
BODIES = [
    b"0800822000000000000004000000000000000101000000000001301",
    b"08",
    bytes((i * 7) % 251 | 0x80 for i in range(513)),
    bytes(0x30 + i % 10 for i in range(1234)),
]

for name, frame in FRAMINGS.items():
    for body in BODIES:
        tpdu = TPDU.hex().upper() if name.endswith("-tpdu") else None
        print(json.dumps({
            "framing": name,
            "body": body.hex().upper(),
            "tpdu": tpdu,
            "frame": frame(body).hex().upper(),
        }))
