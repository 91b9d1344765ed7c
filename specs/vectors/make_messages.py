"""Makes messages with a foreign implementation, as vectors for our codec.

Needs pyiso8583 (`pip install pyiso8583==4.0.1`); writes messages.jsonl beside itself. Each line:
dialect, hex, mti, and the fields as our JSON spells them. The specifications below are written from
domain knowledge for this script, independently of specs/dialects. Deterministic: same output each run.
"""

import json
import pathlib
import random
import iso8583

PANS = ["4111111111111111", "5555555555554444", "6250946000000016", "378282246310005", "6011111111111117"]

# number: (kind, length); kind is n (digits), t (text), z (track), b (bytes); a list is variable with
# the digits of its length prefix and its maximum.
BASE = {
    2: ("n", (2, 19)), 3: ("n", 6), 4: ("n", 12), 5: ("n", 12), 6: ("n", 12), 7: ("n", 10), 8: ("n", 8),
    9: ("n", 8), 10: ("n", 8), 11: ("n", 6), 12: ("n", 6), 13: ("n", 4), 14: ("n", 4), 15: ("n", 4),
    16: ("n", 4), 17: ("n", 4), 18: ("n", 4), 19: ("n", 3), 20: ("n", 3), 21: ("n", 3), 22: ("n", 3),
    23: ("n", 3), 24: ("n", 3), 25: ("n", 2), 26: ("n", 2), 27: ("n", 1), 32: ("n", (2, 11)),
    33: ("n", (2, 11)), 35: ("z", (2, 37)), 37: ("t", 12), 38: ("t", 6), 39: ("t", 2), 40: ("t", 3),
    41: ("t", 8), 42: ("t", 15), 43: ("t", 40), 44: ("t", (2, 25)), 48: ("t", (3, 999)), 49: ("t", 3),
    50: ("t", 3), 51: ("t", 3), 52: ("b", 8), 53: ("n", 16), 54: ("t", (3, 120)), 60: ("t", (3, 999)),
    61: ("t", (3, 999)), 62: ("t", (3, 999)), 63: ("t", (3, 999)), 64: ("b", 8), 66: ("n", 1), 70: ("n", 3),
    71: ("n", 4), 73: ("n", 6), 74: ("n", 10), 75: ("n", 10), 76: ("n", 10), 77: ("n", 10), 86: ("n", 16),
    87: ("n", 16), 88: ("n", 16), 89: ("n", 16), 91: ("t", 1), 96: ("b", 8), 98: ("t", 25),
    99: ("n", (2, 11)), 100: ("n", (2, 11)), 101: ("t", (2, 17)), 102: ("t", (2, 28)), 103: ("t", (2, 28)),
    104: ("t", (3, 100)), 120: ("t", (3, 999)), 127: ("t", (3, 999)), 128: ("b", 8),
}
ONLY_POS = [2, 3, 4, 11, 12, 13, 14, 15, 22, 23, 25, 26, 32, 35, 37, 38, 39, 41, 42, 44, 49, 52, 53, 64]
NINETY_THREE = {
    12: ("n", 12), 15: ("n", 6), 22: ("t", 12), 25: ("n", 4), 26: ("n", 4), 39: ("n", 3), 40: ("n", 3), 43: ("t", (2, 99)),
    27: ("n", 1), 28: ("n", 6), 30: ("n", 24), 31: ("t", (2, 99)), 44: ("t", (2, 99)), 53: ("b", (2, 48)),
    66: ("t", (3, 204)), 71: ("n", 8), 91: ("n", 3), 96: ("b", (3, 999)),
}
TWO_THOUSAND_THREE = dict(NINETY_THREE) | {
    4: ("n", 16), 5: ("n", 16), 6: ("n", 16), 8: ("n", 12), 11: ("n", 12), 12: ("n", 14), 13: ("n", 6), 15: ("n", 8),
    18: ("t", (3, 140)), 21: ("t", 22), 22: ("b", 16), 28: ("n", 8), 30: ("n", 32), 31: ("n", 23), 39: ("n", 4), 41: ("t", 16),
    42: ("t", (2, 35)), 43: ("t", (4, 9999)), 44: ("t", (4, 9999)), 48: ("t", (4, 9999)), 49: ("t", (3, 999)),
}


def spec_of(fields, text, digits, length, hexed=False, pad_variable="left_pad"):
    """A pyiso8583 specification. text: codec; digits and length: codec or "bcd"; hexed: all printable."""
    spec = {"h": {"data_enc": "b", "len_enc": "bcd", "len_type": 0, "max_len": 0, "desc": ""}}
    mti = {"data_enc": "b", "max_len": 2} if digits == "bcd" else {"data_enc": digits, "max_len": 4}
    spec["t"] = mti | {"len_enc": "bcd", "len_type": 0, "desc": ""}
    bitmap = {"data_enc": "ascii", "max_len": 16} if hexed else {"data_enc": "b", "max_len": 8}
    spec["p"] = bitmap | {"len_enc": "bcd", "len_type": 0, "desc": ""}
    spec["1"] = dict(spec["p"])
    for number in range(2, 129):
        spec[str(number)] = {"data_enc": "ascii", "len_enc": "ascii", "len_type": 0, "max_len": 1, "desc": ""}
    for number, (kind, size) in fields.items():
        prefix, most = size if isinstance(size, tuple) else (0, size)
        one = {"len_enc": length, "len_type": prefix, "max_len": most, "desc": ""}
        if length == "bcd":
            one["len_type"] = (prefix + 1) // 2
        if kind in "nz" and digits == "bcd":
            one |= {"data_enc": "b", "len_count": "nibbles"}
            if number == 22 and pad_variable == "right_pad":
                one["right_pad"] = "0"
            else:
                one[pad_variable if prefix else "left_pad"] = "0"
        elif kind == "b" and hexed:
            one |= {"data_enc": "ascii", "max_len": 2 * most}
        elif kind == "b":
            one["data_enc"] = "b"
        else:
            one["data_enc"] = digits if kind in "nz" else text
        spec[str(number)] = one
    return spec


DIALECTS = {
    "iso8583-1987-ascii": ("0", BASE, spec_of(BASE, "ascii", "ascii", "ascii")),
    "iso8583-1987-ascii-hex": ("0", BASE, spec_of(BASE, "ascii", "ascii", "ascii", hexed=True)),
    "iso8583-1987-bcd": ("0", BASE, spec_of(BASE, "ascii", "bcd", "bcd")),
    "iso8583-1987-ebcdic": ("0", BASE, spec_of(BASE, "cp037", "cp037", "cp037")),
    "iso8583-1993-ascii": ("1", BASE | NINETY_THREE, None),
    "iso8583-1993-binary": ("1", BASE | NINETY_THREE, None),
    "iso8583-2003-binary": ("2", BASE | TWO_THOUSAND_THREE, None),
    "unionpay-pos": ("0", {n: BASE[n] for n in ONLY_POS}, None),
}
for name, (text, digits, length) in {
    "iso8583-1993-ascii": ("ascii", "ascii", "ascii"),
    "iso8583-1993-binary": ("ascii", "bcd", "bcd"),
    "iso8583-2003-binary": ("ascii", "bcd", "bcd"),
}.items():
    version, fields, _ = DIALECTS[name]
    DIALECTS[name] = (version, fields, spec_of(fields, text, digits, length))
pos = DIALECTS["unionpay-pos"][1]
DIALECTS["unionpay-pos"] = ("0", pos, spec_of(pos, "ascii", "bcd", "bcd", pad_variable="right_pad"))


# Behind a BASE I style header: packed digits, EBCDIC text, one binary byte for every length.
BASE_ONE = {n: BASE[n] for n in [2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 18, 19, 20, 22, 23, 24, 25, 26, 32, 33,
                                 35, 37, 38, 39, 41, 42, 43, 49, 50, 51, 52, 53, 66, 70, 73, 91, 99, 100, 101, 102,
                                 103]} | {
    44: ("t", (2, 25)), 45: ("t", (2, 76)), 48: ("t", (2, 255)), 54: ("t", (2, 120)), 59: ("t", (2, 14)),
    60: ("n", (2, 12)), 61: ("n", (2, 36)), 62: ("b", (2, 255)), 63: ("b", (2, 255)), 68: ("n", 3), 90: ("n", 42),
    92: ("t", 2), 95: ("t", 42), 115: ("t", (2, 255)), 121: ("t", (2, 11)), 126: ("b", (2, 255)),
}
INTERBANK = {n: one for n, one in BASE.items() if n not in (64, 120, 127)} | {
    48: ("t", (3, 512)), 61: ("t", (3, 200)), 63: ("t", (3, 512)), 90: ("n", 42),
}


def base_one_header(dice, body):
    """22 bytes; in the reject form 26, with a bitmap and a code."""
    reject = dice.random() < 0.25
    size = 26 if reject else 22
    stations = "%06d%06d" % (dice.randrange(10**6), dice.randrange(10**6))
    head = bytes([size, 0x81 if reject else 0x01, 2]) + (size + body).to_bytes(2, "big")
    head += bytes.fromhex(stations) + dice.randbytes(1 + 2 + 3 + 1 + 3 + 1)
    return head + (dice.randbytes(2) + bytes.fromhex("%04d" % dice.randrange(10**4)) if reject else b"")


def interbank_header(dice, body):
    """46 bytes: length, version, total length as digits, two institutions, what happened on the way."""
    ids = "".join("%-11d" % dice.randrange(10**8, 10**11) for _ in range(2))
    head = bytes([0x2E, 0x82]) + b"%04d" % (46 + body) + ids.encode() + bytes(3) + dice.randbytes(1)
    return head + b"%08d" % dice.randrange(10**8) + dice.randbytes(1) + b"%05d" % dice.randrange(10**5)


spec = spec_of(BASE_ONE, "cp037", "bcd", "b")
for number, (kind, size) in BASE_ONE.items():
    if isinstance(size, tuple):
        spec[str(number)]["len_type"] = 1
DIALECTS["iso8583-1987-base1"] = ("0", BASE_ONE, spec)
DIALECTS["unionpay-interbank"] = ("0", INTERBANK, spec_of(INTERBANK, "ascii", "ascii", "ascii"))
HEADERS = {"iso8583-1987-base1": base_one_header, "unionpay-interbank": interbank_header}


def looks_like_a_card(digits):
    """13 to 19 digits with a valid check digit: nothing here may be mistaken for a card."""
    if not 13 <= len(digits) <= 19:
        return False
    doubled = [int(d) * (2 if i % 2 else 1) for i, d in enumerate(reversed(digits))]
    return sum(d // 10 + d % 10 for d in doubled) % 10 == 0


def value(dice, number, kind, size, packed):
    """A value as the foreign implementation takes it; None where it cannot make one."""
    fixed = not isinstance(size, tuple)
    most = size if fixed else min(size[1], 60)
    length = most if fixed else dice.randint(1, most)
    if number == 2:
        return dice.choice(PANS)
    if kind == "n":
        digits = "".join(dice.choice("0123456789") for _ in range(length))
        return value(dice, number, kind, size, packed) if looks_like_a_card(digits) else digits
    if number == 95:
        fees = [dice.choice("CD") + "%08d" % dice.randrange(10**8) for _ in range(2)]
        return "%012d%012d" % (dice.randrange(10**9), dice.randrange(10**9)) + "".join(fees)
    if kind == "z":
        return dice.choice(PANS) + ("D" if packed else "=") + "3012" + dice.choice(["201", "2010000000", "20112345678"])
    if kind == "b":
        return dice.randbytes(length).hex().upper()
    alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
    if number in (43, 44, 48, 60, 61, 62, 63, 104, 120, 127):
        alphabet += "abcdefghijk /.-&()+:,"
    return "".join(dice.choice(alphabet) for _ in range(length))


def main():
    out = pathlib.Path(__file__).with_name("messages.jsonl")
    with out.open("w") as lines:
        for name, (version, fields, spec) in DIALECTS.items():
            dice = random.Random(name)
            packed = spec["t"]["data_enc"] == "b"
            for _ in range(40):
                count = dice.randint(3, min(28, len(fields)))
                chosen = sorted(dice.sample(sorted(fields), count))
                decoded = {"t": version + dice.choice(["100", "110", "200", "210", "220", "400", "410", "420", "800", "810"])}
                for number in chosen:
                    kind, size = fields[number]
                    decoded[str(number)] = value(dice, number, kind, size, packed)
                if name == "unionpay-interbank" and chosen[-1] <= 64:
                    # Both bitmaps are always there; the foreign side writes the second for a field only.
                    decoded["100"] = value(dice, 100, *fields[100], packed)
                header = b""
                if name in HEADERS:
                    spec["h"]["max_len"] = 0
                    header = HEADERS[name](dice, len(iso8583.encode(dict(decoded), spec)[0]))
                    spec["h"]["max_len"] = len(header)
                    decoded["h"] = header.hex().upper()
                raw, _ = iso8583.encode(dict(decoded), spec)
                values = {n: v for n, v in decoded.items() if n not in "th"}
                line = {"dialect": name, "hex": bytes(raw).hex().upper(), "mti": decoded["t"], "fields": values}
                if header:
                    line["header"] = decoded["h"]
                lines.write(json.dumps(line, separators=(",", ":")) + "\n")


main()
