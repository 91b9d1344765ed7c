"""Makes messages as the packagers and specifications beside this file describe them, with a foreign
implementation, so that imported dialects can be held to them.

Needs pyiso8583 (`pip install pyiso8583==4.0.1`); writes messages.jsonl beside itself. Each line: the
imported file, hex, mti, the fields as our JSON spells them (composites whole, as text or hex), and
some of their parts. The specifications below are written from the same descriptions, by hand and
independently of the importers; composites are put together here byte by byte. Deterministic.
"""

import json
import pathlib
import random
import iso8583

PANS = ["4111111111111111", "5555555555554444", "6250946000000016", "378282246310005", "6011111111111117"]
E = "cp037"


def text(enc, size, prefix=None):
    return {"data_enc": enc, "max_len": size} | length(prefix)


def raw(size, prefix=None):
    return {"data_enc": "b", "max_len": size} | length(prefix)


def hexed(size):
    return {"data_enc": "ascii", "max_len": 2 * size} | length(None)


def packed(size, prefix=None, pad="left_pad", nibble="0"):
    return {"data_enc": "b", "max_len": size, "len_count": "nibbles", pad: nibble} | length(prefix)


def length(prefix):
    """prefix: coding and bytes."""
    coding, size = prefix or ("bcd", 0)
    return {"len_enc": coding, "len_type": size, "desc": ""}


class Dice(random.Random):
    def digits(self, count):
        return "".join(self.choice("0123456789") for _ in range(count))

    def words(self, count):
        return "".join(self.choice("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789 /.-") for _ in range(count))


def fixed_text(size):
    return lambda d: (d.words(size), {})


def some_text(most):
    return lambda d: (d.words(d.randint(1, most)), {})


def digits(size):
    return lambda d: (d.digits(size), {})


def some_digits(most):
    return lambda d: (d.digits(d.randint(1, most)), {})


def some_bytes(size):
    return lambda d: (d.randbytes(size).hex().upper(), {})


def pan(d):
    return d.choice(PANS), {}


def fee(d):
    return d.choice("CD") + d.digits(8), {}


def track(separator):
    # Too short behind the separator to be mistaken for a card.
    return lambda d: (d.choice(PANS) + separator + "3012201" + d.digits(d.randint(0, 5)), {})


def order_text(d):
    kind, order = d.digits(2), d.words(d.randint(1, 10)).strip(" .") or "A"
    key, note = d.randbytes(8).hex().upper(), d.words(3)
    parts = {"Kind": kind, "Order no-": order}
    whole = kind + f"{len(order):02}" + order
    if d.random() < 0.7:
        whole, parts = whole + key + note, parts | {"Key": key, "Note": note}
    return whole, parts


def order_json(d):
    kind, order, note = d.digits(2), d.words(d.randint(1, 10)), d.words(3)
    parts = {"Kind": kind, "Order": order}
    whole = kind + f"{len(order):02}" + order
    if d.random() < 0.7:
        whole, parts = whole + note, parts | {"Note": note}
    return whole, parts


def tagged_text(d):
    serial, cashier = d.words(d.randint(1, 20)), d.words(d.randint(1, 9))
    whole = f"07{len(cashier):02}{cashier}01{len(serial):02}{serial}99" + "03abc"
    return whole, {"01": serial, "07": cashier, "99": "abc"}


def chip(d):
    amount, counter = d.randbytes(6).hex().upper(), d.randbytes(2).hex().upper()
    inner = "9505" + d.randbytes(5).hex().upper()
    return f"9F0206{amount}9F3602{counter}E107{inner}DF0100", {"9F02": amount, "9F36": counter, "E1.95": inner[4:]}


def advice(d):
    reason, remark, batch = d.digits(3), d.words(d.randint(1, 20)), d.digits(6)
    cashier, flags = d.words(4), d.randbytes(3).hex().upper()
    bits = 1 << 63 | 1 << 61 | 1 << 55
    text = f"{len(remark):02}" + remark.encode().hex()
    whole = f"{bits:016X}0{reason}{text}{batch}{cashier.encode().hex()}{flags}"
    parts = {"1": reason, "3": remark, "9.Number": batch, "9.Cashier": cashier, "9.Flags": flags}
    return whole.upper(), parts


def clearing(d):
    category, wallet, level = d.choice("RPT"), d.digits(d.randint(1, 10)), d.digits(7)
    ebcdic = (category + f"26{len(wallet):02}{wallet}4207{level}").encode(E)
    inner = "tagged subfields"
    return ebcdic.hex().upper(), {"Category": category, f"{inner}.F2F6": wallet, f"{inner}.F4F2": level}


def data_sets(d):
    first, second = d.randbytes(d.randint(1, 30)), d.words(d.randint(1, 30))
    whole = b"\x01" + len(first).to_bytes(2, "big") + first
    whole += b"\xf4" + len(second).to_bytes(2, "big") + second.encode(E)
    return whole.hex().upper(), {"01": first.hex().upper(), "F4": second}


def place_text(d):
    name, city, country = d.words(22), d.words(13), d.digits(3)
    return name + city + country, {"Name": name, "City": city, "Country": country}


def place_bytes(d):
    whole, parts = place_text(d)
    return whole.encode(E).hex().upper(), parts


def wallet(d):
    wallet, level = d.digits(d.randint(1, 20)), d.digits(7)
    whole = f"05{len(wallet):02}{wallet}4207{level}".encode(E)
    return whole.hex().upper(), {"F0F5": wallet, "F4F2": level}


A2, A3 = ("ascii", 2), ("ascii", 3)
B2, B3 = ("bcd", 1), ("bcd", 2)
ACQUIRER = {
    2: (text("ascii", 19, A2), pan), 3: (text("ascii", 6), digits(6)), 4: (text("ascii", 12), digits(12)),
    7: (text("ascii", 10), digits(10)), 11: (text("ascii", 6), digits(6)), 12: (text("ascii", 6), digits(6)),
    13: (text("ascii", 4), digits(4)), 14: (text("ascii", 4), digits(4)), 18: (text("ascii", 4), digits(4)),
    22: (text("ascii", 3), digits(3)), 25: (text("ascii", 2), digits(2)), 28: (text("ascii", 9), fee),
    32: (text("ascii", 11, A2), some_digits(11)), 35: (text("ascii", 37, A2), track("=")),
    37: (text("ascii", 12), fixed_text(12)), 38: (text("ascii", 6), fixed_text(6)), 39: (text("ascii", 2), digits(2)),
    41: (text("ascii", 8), fixed_text(8)), 42: (text("ascii", 15), fixed_text(15)), 43: (text("ascii", 40), fixed_text(40)),
    49: (text("ascii", 3), digits(3)), 52: (hexed(8), some_bytes(8)), 62: (text("ascii", 999, A3), tagged_text),
    64: (hexed(8), some_bytes(8)), 70: (text("ascii", 3), digits(3)), 90: (text("ascii", 42), digits(42)),
    102: (text("ascii", 28, A2), some_text(28)), 128: (hexed(8), some_bytes(8)),
}
HOST = {
    2: (packed(19, B2, "right_pad"), pan), 3: (packed(6), digits(6)), 4: (packed(12), digits(12)),
    7: (packed(10), digits(10)), 11: (packed(6), digits(6)), 12: (packed(6), digits(6)), 13: (packed(4), digits(4)),
    14: (packed(4), digits(4)), 18: (packed(4), digits(4)), 22: (packed(3), digits(3)),
    23: (packed(3, None, "right_pad"), digits(3)), 25: (packed(2), digits(2)), 32: (packed(11, B2), some_digits(11)),
    37: (text("ascii", 12), fixed_text(12)), 38: (text("ascii", 6), fixed_text(6)), 39: (text("ascii", 2), digits(2)),
    41: (text("ascii", 8), fixed_text(8)), 42: (text("ascii", 15), fixed_text(15)),
    44: (text("ascii", 25, ("b", 1)), some_text(25)), 49: (packed(3), digits(3)), 52: (raw(8), some_bytes(8)),
    64: (raw(8), some_bytes(8)), 70: (packed(3), digits(3)), 90: (packed(42), digits(42)),
    95: (text("ascii", 42), fixed_text(42)), 128: (raw(8), some_bytes(8)),
}
E2, E3 = (E, 2), (E, 3)
FILES = {
    "acquirer.xml": (None, "ascii", ACQUIRER | {
        48: (text("ascii", 999, A3), order_text), 60: (text("ascii", 22), fixed_text(22)),
        95: (text("ascii", 42), fixed_text(42)), 120: (text("ascii", 999, A3), some_text(80)),
    }),
    "acquirer.json": (None, "ascii", ACQUIRER | {48: (text("ascii", 999, A3), order_json)}),
    "host.xml": ("6000030000", "b", HOST | {
        33: (packed(11, B2, "right_pad", "F"), some_digits(11)), 35: (packed(37, B2), track("D")),
        55: (raw(255, ("b", 2)), chip), 60: (raw(99, B2), advice), 62: (raw(200, ("b", 1)), clearing),
    }),
    "host.json": (None, "b", HOST | {
        35: (packed(37, ("b", 1)), track("D")), 55: (raw(255, B3), chip), 60: (raw(255, ("b", 2)), advice),
        62: (raw(200, ("b", 1)), data_sets),
    }),
    "mainframe.xml": (None, E, {
        2: (text(E, 19, E2), pan), 3: (text(E, 6), digits(6)), 4: (text(E, 12), digits(12)), 11: (text(E, 6), digits(6)),
        12: (text(E, 12), digits(12)), 22: (text(E, 12), digits(12)), 24: (text(E, 3), digits(3)), 28: (text(E, 9), fee),
        32: (text("ascii", 11, E2), some_digits(11)), 37: (text(E, 12), fixed_text(12)), 38: (text(E, 6), fixed_text(6)),
        39: (text(E, 3), digits(3)), 41: (text(E, 8), fixed_text(8)), 42: (text(E, 15), fixed_text(15)),
        43: (text(E, 99, E2), place_text), 44: (text(E, 99, A2), some_text(99)), 48: (text(E, 250, ("b", 2)), some_text(90)),
        49: (text(E, 3), digits(3)), 52: (text(E, 16), some_bytes(8)), 55: (raw(255, E3), some_bytes(40)),
        64: (raw(8), some_bytes(8)), 70: (text(E, 3), digits(3)), 128: (raw(8), some_bytes(8)),
    }),
    "mainframe.json": (None, E, {
        2: (text(E, 19, E2), pan), 3: (text(E, 6), digits(6)), 4: (text(E, 12), digits(12)), 11: (text(E, 6), digits(6)),
        12: (text(E, 6), digits(6)), 22: (text(E, 3), digits(3)), 39: (text(E, 2), digits(2)), 41: (text(E, 8), fixed_text(8)),
        43: (raw(38), place_bytes), 44: (text("ascii", 99, E2), some_text(99)), 48: (raw(250, E3), wallet),
        52: (raw(8), some_bytes(8)), 64: (raw(8), some_bytes(8)),
    }),
}


def spec_of(name, header, mti, fields):
    spec = {"h": {"data_enc": "b", "max_len": 5 if header else 0} | length(None)}
    spec["t"] = {"data_enc": mti, "max_len": 2 if mti == "b" else 4} | length(None)
    hexed_bitmap = name.startswith("acquirer")
    bitmap = {"data_enc": "ascii" if hexed_bitmap else "b", "max_len": 16 if hexed_bitmap else 8} | length(None)
    spec["p"], spec["1"] = dict(bitmap), dict(bitmap)
    for number in range(2, 129):
        spec[str(number)] = dict(fields[number][0]) if number in fields else raw(1)
    return spec


def looks_like_a_card(digits):
    """Nothing here may be mistaken for a card: 13 to 19 digits with a valid check digit."""
    if not digits.isdigit() or not 13 <= len(digits) <= 19:
        return False
    doubled = [int(d) * (2 if i % 2 else 1) for i, d in enumerate(reversed(digits))]
    return sum(d // 10 + d % 10 for d in doubled) % 10 == 0


def third(pieces, field_130):
    """The same message with a third bitmap in place of field 65, announcing field 130."""
    wire = {key: piece["len"] + piece["data"] for key, piece in pieces.items()}
    numbers = sorted(int(key) for key in wire if key.isdigit() and int(key) > 1)
    second = int.from_bytes(wire.get("1", b""), "big") | 1 << 63
    first = int.from_bytes(wire["p"], "big") | 1 << 63
    low, high = ([wire[str(n)] for n in numbers if (n > 64) == above] for above in (False, True))
    bitmaps = first.to_bytes(8, "big") + second.to_bytes(8, "big")
    return wire["t"] + bitmaps + b"".join(low) + (1 << 62).to_bytes(8, "big") + b"".join(high) + field_130


def message(name, dice):
    header, mti_enc, fields = FILES[name]
    version = "1" if name == "mainframe.xml" else "0"
    decoded = {"t": version + dice.choice(["100", "110", "200", "210", "400", "420", "800"])}
    values, parts = {}, {}
    count = dice.randint(min(6, len(fields)), len(fields))
    for number in sorted(dice.sample(sorted(fields), count)):
        value, inner = fields[number][1](dice)
        while number != 2 and looks_like_a_card(value):
            value, inner = fields[number][1](dice)
        decoded[str(number)] = value
        values[str(number)] = value
        parts |= {f"{number}.{path}": part for path, part in inner.items()}
    if header:
        decoded["h"] = header
    loyalty = dice.words(dice.randint(1, 20)) if name == "mainframe.xml" and dice.random() < 0.5 else None
    whole, pieces = iso8583.encode(dict(decoded), spec_of(name, header, mti_enc, fields))
    if loyalty is not None:
        whole = third(pieces, f"{len(loyalty):02}{loyalty}".encode(E))
        values["130"] = loyalty
    whole = bytes(whole).hex().upper()
    return {"file": name, "hex": whole, "mti": decoded["t"], "fields": values, "parts": parts}


def main():
    out = pathlib.Path(__file__).with_name("messages.jsonl")
    with out.open("w") as lines:
        for name in FILES:
            dice = Dice(name)
            for _ in range(25):
                lines.write(json.dumps(message(name, dice), separators=(",", ":")) + "\n")


main()
