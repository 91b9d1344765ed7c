"""Writes captures/ with foreign packet writers: what `dialect guess` and `decode` are tried with.

Needs scapy and dpkt (requirements.txt). The messages are those of messages.jsonl. Deterministic.
"""

import json
import pathlib
import random
import socket
import struct

import dpkt
from scapy.all import ARP, IP, TCP, UDP, Dot1Q, Ether, IPv6, Raw, wrpcap, wrpcapng

HERE = pathlib.Path(__file__).parent
OUT = HERE / "captures"
MACS = dict(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


def messages(dialect, count):
    lines = (json.loads(line) for line in (HERE / "messages.jsonl").open())
    return [bytes.fromhex(one["hex"]) for one in lines if one["dialect"] == dialect][:count]


class Side:
    """One end of a connection: cuts what it sends into segments."""

    def __init__(self, dice, first):
        self.dice, self.next = dice, first

    def segments(self, data, most):
        while data:
            size = min(len(data), self.dice.randint(1, most))
            yield self.next, data[:size]
            self.next, data = (self.next + size) % 2**32, data[size:]


def unionpay():
    """VLAN, handshakes, two terminals, TPDU framing; segments cut anywhere, swapped, repeated."""
    dice = random.Random("unionpay")
    bodies = messages("unionpay-pos", 24)
    link = Ether(**MACS) / Dot1Q(vlan=7)
    out = [Ether(**MACS) / ARP(psrc="10.1.0.9", pdst="10.1.0.2")]
    for terminal, port in enumerate((40001, 40002)):
        client, server = Side(dice, 2**32 - 200 + terminal), Side(dice, 77)
        there = lambda seq, flags, data=b"": link / IP(src="10.1.0.9", dst="10.1.0.2") / TCP(
            sport=port, dport=7001, seq=seq, flags=flags) / Raw(data)
        back = lambda seq, flags, data=b"": link / IP(src="10.1.0.2", dst="10.1.0.9") / TCP(
            sport=7001, dport=port, seq=seq, flags=flags) / Raw(data)
        out += [there(client.next - 1, "S"), back(server.next - 1, "SA"), there(client.next, "A")]
        for body in bodies[terminal::2]:
            request = struct.pack(">H", len(body) + 5) + bytes.fromhex("6000030000") + body
            answer = struct.pack(">H", len(body) + 5) + bytes.fromhex("6000000003") + body
            sent = [there(seq, "PA", data) for seq, data in client.segments(request, 60)]
            if len(sent) > 1 and dice.random() < 0.4:
                sent[0], sent[1] = sent[1], sent[0]
            if dice.random() < 0.4:
                sent.append(sent[0])
            out += sent + [back(seq, "PA", data) for seq, data in server.segments(answer, 400)]
        out.append(Ether(**MACS) / IP(src="10.1.0.9", dst="10.1.0.3") / UDP(dport=53) / Raw(b"?"))
        out += [there(client.next, "FA"), back(server.next, "FA")]
    stamp(out)
    wrpcap(str(OUT / "unionpay.pcap"), out)


def midway():
    """pcapng, IPv6: joined in the middle of a frame; two services with different dialects."""
    dice = random.Random("midway")
    out = []
    plans = [
        (9100, "iso8583-1987-ascii", lambda b: b"%04d" % (len(b) + 4) + b),
        (9200, "iso8583-1987-ebcdic", lambda b: bytes.fromhex("%04d" % len(b)) + b),
    ]
    for port, dialect, frame in plans:
        stream = b"".join(frame(body) for body in messages(dialect, 12))[25:]
        client = Side(dice, 5_000)
        ends = IPv6(src="fd00::1", dst="fd00::2")
        out += [Ether(**MACS) / ends / TCP(sport=50_000, dport=port, seq=seq, flags="PA") / Raw(data)
                for seq, data in client.segments(stream, 500)]
    stamp(out)
    wrpcapng(str(OUT / "midway.pcapng"), out)


def snapped():
    """Nanoseconds, Linux cooked, each packet cut at 200 bytes: long messages lose their ends."""
    with (OUT / "snapped.pcap").open("wb") as file:
        writer = dpkt.pcap.Writer(file, snaplen=200, linktype=113, nano=True)
        sequence = 1_000
        for number, body in enumerate(messages("iso8583-1987-bcd", 16)):
            data = struct.pack(">I", len(body)) + body
            tcp = dpkt.tcp.TCP(sport=51234, dport=8583, seq=sequence, flags=0x18, data=data)
            ip = dpkt.ip.IP(src=socket.inet_aton("192.0.2.1"), dst=socket.inet_aton("192.0.2.2"),
                            p=6, data=tcp, ttl=64)
            ip.len = 20 + len(tcp)
            packet = struct.pack(">HHH8sH", 0, 1, 6, bytes(8), 0x0800) + bytes(ip)
            head = struct.pack("<IIII", 1_700_000_000 + number, 0, min(200, len(packet)), len(packet))
            file.write(head + packet[:200])
            sequence += len(data)


def stamp(packets):
    for number, packet in enumerate(packets):
        packet.time = 1_700_000_000 + number / 1000


OUT.mkdir(exist_ok=True)
unionpay()
midway()
snapped()
