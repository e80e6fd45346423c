"""The attacks of attack_bench.py, and what attackers and honest parties share.

Each attack prepares in the parent (what it signs) and gives what its processes do:
f(stop, ready, count). `ready` says that the attack is in full swing.
"""
import ctypes
import itertools
import json
import os
import pathlib
import random
import select
import socket
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests" / "e2e" / "api"))

from client import Client, Key, WebSocket  # noqa: E402
from openapi_test import Walk  # noqa: E402

SECP = ctypes.CDLL("libsecp256k1.so.1")
SECP.secp256k1_context_create.restype = ctypes.c_void_p
CONTEXT = ctypes.c_void_p(SECP.secp256k1_context_create(513))


class FastKey(Key):
    """The tests' key in plain Python takes milliseconds a signature."""

    def sign_digest(self, digest):
        raw, out, odd = (ctypes.create_string_buffer(65), ctypes.create_string_buffer(64),
                         ctypes.c_int())
        assert SECP.secp256k1_ecdsa_sign_recoverable(
            CONTEXT, raw, digest, self.secret.to_bytes(32, "big"), None, None)
        SECP.secp256k1_ecdsa_recoverable_signature_serialize_compact(
            CONTEXT, out, ctypes.byref(odd), raw)
        return "0x" + (out.raw + bytes([27 + odd.value])).hex()


def connect(port, address, timeout=5):
    return socket.create_connection(("127.0.0.1", port), timeout, (address, 0))


def post(target, body, more=""):
    return (f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{more}"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def read_answer(stream):
    """The status of the next answer of a buffered connection; its body is read too."""
    line = stream.readline()
    if not line:
        raise ConnectionError("closed")
    size = 0
    while (header := stream.readline().strip()):
        name, _, value = header.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
    body = stream.read(size)
    return int(line.split()[1]), body


def spin(stop, ready, count):
    ready.set()
    while not stop.is_set():
        count.value += sum(range(1000)) > 0


def neighbours(_):
    return [spin, spin]


def flooder(port, address, requests, connections=64):
    def run(stop, ready, count):
        mine = []
        while not stop.is_set():
            mine = [c for c in mine if c.fileno() >= 0]
            try:
                while len(mine) < connections:
                    c = connect(port, address)
                    c.settimeout(0.2)
                    mine.append(c)
                random.choice(mine).sendall(b"".join(random.choices(requests, k=8)))
                count.value += 8
            except TimeoutError:
                pass  # it is made to wait
            except OSError:
                mine = [c for c in mine if c.fileno() >= 0 and c is not mine[0]]
            for c in random.sample(mine, min(8, len(mine))):
                try:
                    c.setblocking(False)
                    c.recv(1 << 20)
                except OSError:
                    pass
                finally:
                    c.settimeout(0.2)
            ready.set()
    return run


def flood(market):
    requests = [b"GET /v1/exchange HTTP/1.1\r\nHost: x\r\n\r\n",
                b"GET /v1/offers?query=cores%3E%3D1 HTTP/1.1\r\nHost: x\r\n\r\n",
                b"GET /v1/leases HTTP/1.1\r\nHost: x\r\n\r\n",
                b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"]
    return [flooder(market.port, f"127.0.0.{i}", requests) for i in (2, 3)]


def forged(market):
    """Well-formed orders, cancels, grants and closes under somebody else's signature."""
    victim, thief = FastKey(), FastKey()
    requests = []
    for nonce in range(50):
        body = json.loads(market.bid_body(victim, nonce))
        body["signature"] = market.domain.sign(thief, "Bid", body["bid"])
        requests.append(post("/v1/bids", json.dumps(body).encode()))
        body = json.loads(market.cancel_body(victim, nonce, nonce))
        body["signature"] = market.domain.sign(thief, "CancelBids", body["cancel"])
        requests.append(post("/v1/bids/cancel", json.dumps(body).encode()))
        close = {"lease": "0x" + os.urandom(32).hex(), "nonce": 1, "deadline": market.deadline,
                 "maxRelayFee": "0"}
        requests.append(post(f"/v1/leases/{close['lease']}/request-close", json.dumps(
            {"request": close,
             "signature": market.domain.sign(thief, "RequestClose", close)}).encode()))
    return [flooder(market.port, f"127.0.0.{i}", requests) for i in (2, 3)]


def slow(market):
    """2,000 connections that send one byte a second, of headers and of bodies, for ever."""
    def attacker(addresses):
        def run(stop, ready, count):
            text = b"POST /v1/bids HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\nX: "
            mine = []
            while not stop.is_set():
                began = time.monotonic()
                for address in addresses:
                    while sum(c.address == address for c in mine) < 500 and not stop.is_set():
                        try:
                            c = Held(market.port, address)
                            c.sent = random.choice((0, len(text)))
                            if c.sent:
                                c.socket.sendall(text + b"\r\n\r\n{")
                            mine.append(c)
                        except OSError:
                            break
                for c in list(mine):
                    try:
                        c.socket.sendall(text[c.sent:c.sent + 1] or b" ")
                        c.sent += 1
                        count.value += 1
                    except OSError:
                        mine.remove(c)
                ready.set()
                stop.wait(max(0, 1 - (time.monotonic() - began)))
        return run
    return [attacker(["127.0.0.2", "127.0.0.3"]), attacker(["127.0.0.4", "127.0.0.5"])]


class Held:
    def __init__(self, port, address):
        self.address, self.sent = address, 0
        self.socket = connect(port, address)


def idle(market):
    """10,000 connections from 25 addresses, each opened again when it is dropped."""
    def run(stop, ready, count):
        mine = {}
        poll = select.poll()
        addresses = [f"127.0.0.{i}" for i in range(10, 35)]
        for n in range(10_000):
            try:
                c = connect(market.port, addresses[n % 25])
            except OSError:
                continue
            mine[c.fileno()] = c
            poll.register(c, select.POLLIN)
        count.value = len(mine)
        ready.set()
        while not stop.is_set():
            for number, _ in poll.poll(50):
                c = mine.pop(number)
                poll.unregister(number)
                address = c.getsockname()[0]
                c.close()
                try:
                    c = connect(market.port, address)
                    mine[c.fileno()] = c
                    poll.register(c, select.POLLIN)
                    count.value += 1
                except OSError:
                    pass
    return [run]


def huge(market):
    """Endless headers, bodies (announced, chunked and of rule sets) and WebSocket frames."""
    upgrade = (b"GET /v1/offers/watch?query= HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
               b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    junk = b"x" * 65536
    kinds = [
        (b"GET /v1/offers HTTP/1.1\r\nHost: x\r\nX: ", junk),
        (b"POST /v1/bids HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n", junk),
        (b"POST /v1/bids HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
         b"10000\r\n" + junk + b"\r\n"),
        (b"PUT /v1/policy/rulesets HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n", junk),
        (upgrade, b"\x81\xff" + (10**10).to_bytes(8, "big") + b"mask" + junk)]

    def attacker(addresses):
        def run(stop, ready, count):
            mine = []
            while not stop.is_set():
                while len(mine) < 300 and not stop.is_set():
                    first, then = random.choice(kinds)
                    try:
                        c = connect(market.port, random.choice(addresses))
                        c.setblocking(False)
                        c.send(first)
                        mine.append((c, then))
                    except OSError:
                        break
                for entry in list(mine):
                    try:
                        count.value += entry[0].send(entry[1]) >> 10
                    except BlockingIOError:
                        pass
                    except OSError:
                        mine.remove(entry)
                ready.set()
        return run
    return [attacker(["127.0.0.2", "127.0.0.3"]), attacker(["127.0.0.4", "127.0.0.5"])]


def cancels(market):
    """A funded buyer who opens and cancels as fast as it can; what is used up is sent again."""
    buyer, requests = market.funded(), []
    for nonce in range(1000):
        requests.append(post("/v1/bids", market.bid_body(buyer, nonce)))
        requests.append(post("/v1/bids/cancel", market.cancel_body(buyer, nonce, nonce + 1)))

    def run(stop, ready, count):
        connection = stream = None
        for request in itertools.cycle(requests):
            if stop.is_set():
                return
            try:
                if connection is None:
                    connection = connect(market.port, "127.0.0.2")
                    stream = connection.makefile("rb")
                connection.sendall(request)
                count.value += read_answer(stream)[0] == 200
            except OSError:
                connection = None
            ready.set()
    return [run]


def reconnects(market):
    """Agents (three keys) that connect, and go, and connect, each time rightly signed."""
    keys = [FastKey() for _ in range(3)]
    upgrades = []
    for i in range(2000):
        headers = market.client.headers(keys[i % 3], "GET", "/v1/agent")
        upgrades.append(("GET /v1/agent HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                         "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n").encode())

    def run(stop, ready, count):
        for upgrade in itertools.cycle(upgrades):
            if stop.is_set():
                return
            try:
                with connect(market.port, "127.0.0.2") as c:
                    c.sendall(upgrade)
                    count.value += b" 101 " in c.recv(64)
            except OSError:
                pass
            ready.set()
    return [run]


def liar(market):
    """A running lease whose agent says that it is an hour later and the job ran for days."""
    walk = Walk.__new__(Walk)
    walk.info, walk.domain, walk.beats = market.info, market.domain, 0
    walk.client = Client(market.port, market.domain, source="127.0.0.2")
    walk.provider, walk.buyer = FastKey(), market.funded()
    assert walk.client.post("/v1/asks", walk.ask(1)).status == 200
    walk.agent = WebSocket(walk.client, "/v1/agent", walk.provider)
    walk.beat([])
    placed = walk.client.post("/v1/bids", walk.bid(1))
    assert placed.status == 200, placed.body
    lease = placed.json["leases"][0]["lease"]
    terms = walk.agent.wait_for("match")["terms"]
    walk.agent.send(walk.signed(walk.provider, "Terms", "terms", terms, type="accept", id=1000))
    walk.agent.wait_for("funded")
    market.lied = (walk, lease, time.time())

    def run(stop, ready, count):
        while not stop.is_set():
            walk.beats += 1
            message = {"provider": walk.provider.address, "sequence": walk.beats,
                       "sentAtMs": int(time.time() * 1000) + random.choice((-1, 1)) * 3_600_000,
                       "leases": [walk.status(lease, 2, 500_000_000)]}
            try:
                walk.agent.send(walk.signed(walk.provider, "Heartbeat", "heartbeat", message,
                                            type="heartbeat", id=walk.beats))
                walk.agent.socket.setblocking(False)
                try:
                    walk.agent.socket.recv(1 << 16)
                except BlockingIOError:
                    pass
                walk.agent.socket.settimeout(5)
                count.value += 1
            except OSError:
                pass
            ready.set()
    return [run]


ATTACKS = {"nothing": lambda _: [], "lies about time": liar, "busy neighbours": neighbours, "flood": flood,
           "forged signatures": forged, "slow clients": slow, "idle connections": idle,
           "huge and endless": huge, "open and cancel": cancels, "reconnects": reconnects,
           "nothing, at the end": lambda _: []}
