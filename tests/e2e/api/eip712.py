"""EIP-712 over protocol/eip712.json, with nothing but the standard library: a second opinion on the
C++ that signs and verifies. Slow, and not for real keys: nothing here is constant-time."""
import hashlib
import hmac
import json
import pathlib
import secrets

ROOT = pathlib.Path(__file__).resolve().parents[3]
TYPES = json.loads((ROOT / "protocol/eip712.json").read_text())["types"]

# Keccak-256

_ROUNDS = []
_lfsr = 1
for _ in range(24):
    _constant = 0
    for _j in range(7):
        if _lfsr & 1:
            _constant ^= 1 << ((1 << _j) - 1)
        _lfsr = (_lfsr << 1) ^ (0x171 if _lfsr & 0x80 else 0)
    _ROUNDS.append(_constant)
_MASK = (1 << 64) - 1


def _rotate(value, by):
    by %= 64
    return ((value << by) | (value >> (64 - by))) & _MASK


def _permute(a):
    for constant in _ROUNDS:
        c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        d = [c[(x - 1) % 5] ^ _rotate(c[(x + 1) % 5], 1) for x in range(5)]
        a = [a[i] ^ d[i % 5] for i in range(25)]
        b = [0] * 25
        x, y, current = 1, 0, a[1]
        b[0] = a[0]
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            b[x + 5 * y], current = _rotate(current, (t + 1) * (t + 2) // 2), a[x + 5 * y]
        a = [b[i] ^ (~b[(i // 5) * 5 + (i + 1) % 5] & b[(i // 5) * 5 + (i + 2) % 5] & _MASK)
             for i in range(25)]
        a[0] ^= constant
    return a


def keccak(data):
    rate = 136
    data = bytearray(data) + b"\x01"
    data += b"\0" * (-len(data) % rate)
    data[-1] |= 0x80
    state = [0] * 25
    for at in range(0, len(data), rate):
        for i in range(rate // 8):
            state[i] ^= int.from_bytes(data[at + 8 * i:at + 8 * i + 8], "little")
        state = _permute(state)
    return b"".join(word.to_bytes(8, "little") for word in state[:4])


# secp256k1

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


def _add(p, q):
    if p is None or q is None:
        return q if p is None else p
    if p[0] == q[0]:
        if (p[1] + q[1]) % P == 0:
            return None
        slope = 3 * p[0] * p[0] * pow(2 * p[1], -1, P) % P
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, P) % P
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def _times(k, point):
    total = None
    while k:
        if k & 1:
            total = _add(total, point)
        point = _add(point, point)
        k >>= 1
    return total


def _address(point):
    return keccak(point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big"))[12:]


def checksum(address):
    """EIP-55."""
    text = address.hex()
    digits = keccak(text.encode()).hex()
    return "0x" + "".join(c.upper() if int(d, 16) >= 8 else c for c, d in zip(text, digits))


class Key:
    def __init__(self, secret=None):
        self.secret = secret or secrets.randbelow(N - 1) + 1
        self.address = checksum(_address(_times(self.secret, G)))

    def sign_digest(self, digest):
        e = int.from_bytes(digest, "big")
        seed = self.secret.to_bytes(32, "big") + digest
        while True:
            seed = hmac.new(seed, b"k", hashlib.sha256).digest()
            k = int.from_bytes(seed, "big") % N
            point = _times(k, G)
            r = point[0] % N
            s = pow(k, -1, N) * (e + r * self.secret) % N
            if k and r and s and point[0] < N:
                break
        odd = point[1] & 1
        if s > N // 2:
            s, odd = N - s, odd ^ 1
        return "0x" + (r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + odd])).hex()


def recover(digest, signature):
    raw = bytes.fromhex(signature[2:])
    r, s, odd = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big"), raw[64] - 27
    y = pow(r**3 + 7, (P + 1) // 4, P)
    if y & 1 != odd:
        y = P - y
    inverse = pow(r, -1, N)
    e = int.from_bytes(digest, "big")
    return checksum(_address(_add(_times(s * inverse % N, (r, y)), _times(-e * inverse % N, G))))


# EIP-712


def _raw(text):
    return bytes.fromhex(text.removeprefix("0x"))


def _encode_type(name):
    found, waiting = set(), [name]
    while waiting:
        for field in TYPES[waiting.pop()]:
            base = field["type"].removesuffix("[]")
            if base in TYPES and base not in found:
                found.add(base)
                waiting.append(base)
    return "".join(f"{n}({','.join(f['type'] + ' ' + f['name'] for f in TYPES[n])})"
                   for n in [name, *sorted(found)])


def _word(kind, value):
    if kind.endswith("[]"):
        return keccak(b"".join(_word(kind[:-2], item) for item in value))
    if kind in TYPES:
        return hash_struct(kind, value)
    if kind == "string":
        return keccak(value.encode())
    if kind in ("address", "bytes32", "uint256"):
        return _raw(value).rjust(32, b"\0")
    return (int(value) % 2**256).to_bytes(32, "big")


def hash_struct(name, message):
    return keccak(keccak(_encode_type(name).encode()) +
                  b"".join(_word(f["type"], message[f["name"]]) for f in TYPES[name]))


class Domain:
    """Of kind credits."""

    def __init__(self, salt):
        self.separator = keccak(
            keccak(b"EIP712Domain(string name,string version,bytes32 salt)") + keccak(b"Mizan") +
            keccak(b"1") + _raw(salt))

    def digest(self, name, message):
        return keccak(b"\x19\x01" + self.separator + hash_struct(name, message))

    def sign(self, key, name, message):
        return key.sign_digest(self.digest(name, message))

    def signer(self, name, message, signature):
        return recover(self.digest(name, message), signature)


assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
assert Key(1).address == "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
