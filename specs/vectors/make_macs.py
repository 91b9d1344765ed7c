#!/usr/bin/env python3
"""Writes macs.jsonl: MACs, check values, PIN blocks and DUKPT keys of other implementations.

Run: pip install -r requirements.txt && python3 make_macs.py > macs.jsonl
psec makes the CBC and retail MACs, check values and PIN blocks; cryptography the ciphers and
CMACs; dukpt the transaction keys. The UnionPay fold has no package: its two rounds are written
here over the ciphers of cryptography. Running it twice gives the same file.
"""
import hashlib
import json
import random
import secrets
import warnings

warnings.filterwarnings("ignore")

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES  # noqa: E402
from cryptography.hazmat.primitives.ciphers import Cipher, modes  # noqa: E402
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4  # noqa: E402
from cryptography.hazmat.primitives.cmac import CMAC  # noqa: E402
from bitstring import BitArray  # noqa: E402
import dukpt  # noqa: E402
import psec  # noqa: E402

seeded = random.Random(8583)
psec.pinblock._urandom = seeded.randbytes
secrets.choice = seeded.choice
BDK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


def stream(label, size):
    """Bytes that are the same in every run."""
    blocks = (hashlib.sha256(f"{label}/{i}".encode()).digest() for i in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def put(**line):
    print(json.dumps({k: v.hex().upper() if isinstance(v, bytes) else v for k, v in line.items()}))


def tdes(key):
    """A key that triple DES takes; single DES is triple DES with one key three times."""
    return TripleDES(key * 3 if len(key) == 8 else key + key[:8] if len(key) == 16 else key)


def ecb(algorithm, block):
    encryptor = Cipher(algorithm, modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


def padded(data, size, padding):
    pad = psec.mac.pad_iso_1 if padding == 1 else psec.mac.pad_iso_2
    return pad(data, size)


def fold(algorithm, data):
    size = algorithm.block_size // 8
    acc = bytes(size)
    for at in range(0, len(data), size):
        part = data[at:at + size].ljust(size, b"\0")
        acc = bytes(a ^ b for a, b in zip(acc, part))
    text = acc.hex().upper().encode()
    first = ecb(algorithm, text[:size])
    return ecb(algorithm, bytes(a ^ b for a, b in zip(first, text[size:])))


def cmac(algorithm, data):
    mac = CMAC(algorithm)
    mac.update(data)
    return mac.finalize()


def sm4_cbc(key, data, padding):
    encryptor = Cipher(SM4(key), modes.CBC(bytes(16))).encryptor()
    return (encryptor.update(padded(data, 16, padding)) + encryptor.finalize())[-16:]


def macs():
    for size in (1, 7, 8, 9, 15, 16, 17, 24, 121, 300):
        data = stream("data", size)
        for bits in (8, 16, 24):
            key = stream("des", bits)
            put(kind="mac", algorithm="ecb-fold", key=key, data=data, mac=fold(tdes(key), data))
            for padding in (1, 2):
                mac = psec.mac.generate_cbc_mac(
                    tdes(key).key, data, padding, algorithm=psec.mac.Algorithm.DES)
                put(kind="mac", algorithm="x9.9", padding=padding, key=key, data=data, mac=mac)
        for padding in (1, 2):
            key = stream("retail", 16)
            mac = psec.mac.generate_retail_mac(key[:8], key[8:], data, padding)
            put(kind="mac", algorithm="x9.19", padding=padding, key=key, data=data, mac=mac)
            key = stream("sm4", 16)
            put(kind="mac", algorithm="sm4-cbc-mac", padding=padding, key=key, data=data,
                mac=sm4_cbc(key, data, padding))
        for bits in (16, 24, 32):
            key = stream("aes", bits)
            put(kind="mac", algorithm="aes-cmac", key=key, data=data, mac=cmac(AES(key), data))
            for padding in (1, 2):
                mac = psec.mac.generate_cbc_mac(
                    key, data, padding, algorithm=psec.mac.Algorithm.AES)
                put(kind="mac", algorithm="aes-cbc-mac", padding=padding, key=key, data=data,
                    mac=mac)
        key = stream("sm4", 16)
        put(kind="mac", algorithm="sm4-cmac", key=key, data=data, mac=cmac(SM4(key), data))
        put(kind="mac", algorithm="sm4-ecb-fold", key=key, data=data, mac=fold(SM4(key), data))


def check_values():
    for bits in (8, 16, 24):
        key = stream("kcv", bits)
        put(kind="kcv", family="des", key=key, kcv=psec.des.generate_kcv(tdes(key).key, 4))
    for bits in (16, 24, 32):
        key = stream("kcv", bits)
        put(kind="kcv", family="aes", key=key, kcv=ecb(AES(key), bytes(16))[:4])
    key = stream("kcv", 16)
    put(kind="kcv", family="sm4", key=key, kcv=ecb(SM4(key), bytes(16))[:4])


def pin_blocks():
    key = stream("pin", 32)
    for pan in ("4111111111111111", "5555555555554444", "6250946000000016", "378282246310005"):
        for pin in ("1234", "90210", "123456789012"):
            block = psec.pinblock.encode_pinblock_iso_0(pin, pan)
            put(kind="pin", format=0, pan=pan, pin=pin, block=block)
            block = psec.pinblock.encode_pinblock_iso_3(pin, pan)
            put(kind="pin", format=3, pan=pan, pin=pin, block=block)
    # Format 4 has a rule for card numbers under 12 digits and counts those over it.
    for pan in ("12345678", "12345678901", "4222222222222", "4111111111111111",
                "378282246310005", "6205500000000000004"):
        for pin in ("1234", "123456789012"):
            block = psec.pinblock.encipher_pinblock_iso_4(key, pin, pan)
            put(kind="pin", format=4, pan=pan, pin=pin, block=block, key=key)


def dukpt_keys():
    server = dukpt.Server(bdk=BDK)
    # The package looks at the lowest nine bits of the counter only; the tests have the
    # standard's own values for higher ones.
    for counter in (1, 2, 3, 4, 0x13, 0x80, 0xFF, 0x155, 0x1FE):
        ksn = bytes.fromhex("FFFF9876543210") + (0xE00000 | counter).to_bytes(3, "big")
        ipek = server.generate_ipek(BitArray(bytes=ksn))
        key = server.derive_key(ipek, BitArray(bytes=ksn))
        put(kind="dukpt", bdk=BDK, ksn=ksn, ipek=ipek.bytes, key=key.bytes)


macs()
check_values()
pin_blocks()
dukpt_keys()
