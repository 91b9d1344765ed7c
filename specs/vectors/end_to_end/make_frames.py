#!/usr/bin/env python3
"""Writes the frames that the end-to-end test sends: made by pyiso8583, not by our codec.

Run: pip install -r requirements.txt && python3 make_frames.py
Messages are ISO 8583:1987 in ASCII with a binary bitmap behind two length bytes, high first.
Dates stand at 1 January; the test overwrites them at the offsets given here, so that it needs no
codec either. Running it twice gives the same files:

requests.jsonl  no, kind, bank (where it is routed), pan (masked), amount, currency, stan, rrn,
                terminal, message {frame, f7, f12, f13: offsets in the frame} and, where money
                moves, reversal {stan, message {.., f90: offset of the original's F7}}
answers.jsonl   the answers that some of them must get when nothing goes wrong, byte for byte:
                no, message; F15 stands at 1 January, F38 counts each bank's approvals
hostile.jsonl   name, bytes, expect: `30` (answered with a format error), `silence` (broken before
                its STAN: an answer could not be told whose it is) or `closed` (no frame can begin
                like this)
canaries.jsonl  name, message, secrets {name: value}: what must never be found again; values in
                `pin-block` and `garbage` are hex
"""
import json
import struct
from copy import deepcopy
from pathlib import Path

import iso8583
from iso8583.specs import default_ascii

HERE = Path(__file__).parent
SPEC = deepcopy(default_ascii)
for de, size in (("p", 8), ("1", 8), ("52", 8), ("64", 8), ("128", 8)):
    SPEC[de].update(data_enc="b", max_len=size)
SPEC["55"].update(data_enc="b", max_len=999)

F7, F12, F13 = "0101000000", "000000", "0101"
ACQUIRER = "10000099"
MERCHANT = "SHOP00000000001"
RIVER = ["4111111111111111", "5555555555554444", "4012888888881881", "5105105105105100"]
MOUNTAIN = ["6250946000000016", "6250947000000014", "6200000000000005"]
KINDS = ["purchase", "purchase", "pre-authorization", "purchase", "purchase", "refund", "purchase",
         "balance", "pre-authorization", "purchase"]
SHAPES = {"purchase": ("0200", "000000"), "pre-authorization": ("0100", "000000"),
          "refund": ("0200", "200000"), "balance": ("0200", "310000")}
REQUESTS = 260
GOLDEN = 20


def frame(fields):
    body, parts = iso8583.encode(fields, SPEC)
    at, offsets = 2, {}
    for de in sorted(parts, key=lambda de: {"h": -3, "t": -2, "p": -1}.get(de) or int(de)):
        at += len(parts[de]["len"])
        offsets[de] = at
        at += len(parts[de]["data"])
    assert at == len(body) + 2
    return {"frame": (struct.pack(">H", len(body)) + body).hex().upper(), **{
        f"f{de}": offsets[de] for de in ("7", "12", "13") if de in offsets}, **{
        f"f{de}": offsets[de] + 10 for de in ("90",) if de in offsets}}


def masked(pan):
    return pan[:6] + "*" * (len(pan) - 10) + pan[-4:]


def request(no):
    """STANs begin high, so that no number of the platform's is also one of the banks'."""
    kind = KINDS[no % len(KINDS)]
    bank = "mountain" if no % 3 == 2 and kind != "refund" else "river"
    cards = MOUNTAIN if bank == "mountain" else RIVER
    mti, code = SHAPES[kind]
    fields = {
        "t": mti, "2": cards[no % len(cards)], "3": code, "7": F7, "11": f"{300_000 + no:06}", "12": F12,
        "13": F13, "14": "3112", "18": "5999", "22": "012", "25": "00", "32": ACQUIRER,
        "37": f"RR{no:010}", "41": f"SHOP{1 + no % 7:04}", "42": MERCHANT,
        "49": "156" if bank == "mountain" else ("840", "978")[no // 10 % 2],
    }
    fields["4"] = f"{0 if kind == 'balance' else 1_000 + 7 * no:012}"
    return kind, bank, fields


def reversal(no, fields):
    kept = {de: fields[de] for de in
            ("2", "3", "4", "12", "13", "14", "18", "22", "25", "32", "37", "41", "42", "49")}
    original = fields["t"] + fields["11"] + F7 + ACQUIRER.zfill(11) + "0" * 11
    stan = f"{500_000 + no:06}"
    return {"stan": stan, "message": frame(
        {"t": "0420", "7": F7, "11": stan, "39": "68", "90": original, **kept})}


def requests():
    for no in range(1, REQUESTS + 1):
        kind, bank, fields = request(no)
        yield {
            "no": no, "kind": kind, "bank": bank, "pan": masked(fields["2"]),
            "amount": int(fields["4"]), "currency": fields["49"], "stan": fields["11"],
            "rrn": fields["37"], "terminal": fields["41"], "message": frame(fields),
            "reversal": None if kind == "balance" else reversal(no, fields),
        }


def answers():
    """A bank that approves everything numbers its approvals from 1."""
    approvals = {"river": 0, "mountain": 0}
    for no in range(1, GOLDEN + 1):
        _, bank, fields = request(no)
        approvals[bank] += 1
        echoed = ("2", "3", "4", "7", "11", "12", "13", "25", "32", "37", "41", "42", "49")
        yield {"no": no, "message": frame({
            "t": fields["t"][:2] + "10", **{de: fields[de] for de in echoed if de in fields},
            "15": "0101", "38": f"{approvals[bank]:06}", "39": "00"})}


def hostile():
    def bad(no, **changed):
        fields = {**request(1)[2], "11": f"{900_000 + no:06}", "37": f"BAD{no:09}", **changed}
        return bytes.fromhex(frame(fields)["frame"])

    def framed(body):
        return struct.pack(">H", len(body)) + body

    for name, expect, data in (
        ("letters in the entry mode", "30", bad(1, **{"22": "0X2"})),
        ("letters in the amount", "silence", bad(4, **{"4": "00000000ABCD"})),
        ("the last field cut short", "30", framed(bad(2)[2:-2])),
        ("bytes after the last field", "30", framed(bad(3)[2:] + b"XYZ")),
        ("not even a message", "silence", framed(b"\xff" * 20)),
        ("longer than any message", "closed", b"\xff\xff" + b"0" * 64),
        ("text of another protocol", "closed", b"GET / HTTP/1.1\r\n\r\n"),
    ):
        yield {"name": name, "expect": expect, "bytes": data.hex().upper()}


def tlv(*pairs):
    return "".join(tag + f"{len(value) // 2:02X}" + value for tag, value in pairs)


def canaries():
    """Secrets in every place they may stand in; each stands nowhere else."""
    def canary(no, name, secrets, **changed):
        fields = {**request(1)[2], "11": f"{800_000 + no:06}", "37": f"CAN{no:09}", **changed}
        return {"name": name, "message": frame(fields), "secrets": secrets}

    track = "4012000077777777=31122011000012345678"
    equivalent = "4009348888881881D31122011000087654321F"
    icc_pan = "5200828282828210"
    contactless = "4005519200000004D31122011000055667788F"
    remark, parameter = "CANARY48 the word is heron", "CANARY62 the word is plover"
    yield canary(1, "pan", {"pan": "4000056655665556"}, **{"2": "4000056655665556"})
    yield canary(2, "track", {"track-2": track}, **{"2": "4012000077777777", "35": track})
    yield canary(3, "pin", {"pin-block": "C0FFEE5EC0DEBA5E"},
                 **{"52": "C0FFEE5EC0DEBA5E"})
    in_tags = {"tag-57": equivalent[:-1], "tag-5a": icc_pan, "tag-9f6b": contactless[:-1]}
    yield canary(4, "icc", in_tags, **{
        "55": tlv(("57", equivalent), ("5A", icc_pan), ("9F6B", contactless),
                  ("9F02", "000000001007"), ("9F26", "1122334455667788"))})
    yield canary(5, "private", {"f48": remark, "f62": parameter}, **{"48": remark, "62": parameter})
    yield canary(6, "unionpay", {"up-pan": "6243030000000001"}, **{
        "2": "6243030000000001", "49": "156"})
    yield canary(7, "broken icc", {"broken-tag-5a": "5454545454545454"}, **{
        "55": "5A085454545454545454" + "57FF"})
    heap = b"\x07garbage 6011000990139424=31122011000099887766 and more \xde\xad\xbe\xef\x5e\xa1"
    yield {"name": "garbage", "message": {"frame": (struct.pack(">H", len(heap)) + heap).hex()
                                          .upper()},
           "secrets": {"garbage": heap.hex().upper(), "garbage-pan": "6011000990139424"}}


def write(name, lines):
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    (HERE / name).write_text(text)


write("requests.jsonl", requests())
write("answers.jsonl", answers())
write("hostile.jsonl", hostile())
write("canaries.jsonl", canaries())
