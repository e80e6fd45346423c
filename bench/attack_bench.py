#!/usr/bin/python3
"""A real exchange under attack, and an honest buyer's orders beside each attack, in one run.

    bench/attack_bench.py [--seconds 5] [--bin build/release/mizan] [--only NAME ...]

Prints the table of docs/BENCHMARKS.md. Orders are signed beforehand and sent at fixed times (50 a
second, open loop: an order's time counts from when it was meant to be sent). Attackers are
processes on the same machine with addresses of their own (127.0.0.2 and on); what of a delay is
only their load on the shared cores shows the row "busy neighbours". RSS is the exchange's.
"""
import argparse
import itertools
import json
import multiprocessing
import pathlib
import resource
import statistics
import sys
import tempfile
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests" / "e2e" / "api"))

from attacks import ATTACKS, FastKey, connect, post, read_answer  # noqa: E402
from client import Client, Domain, Exchange  # noqa: E402
from eip712 import keccak  # noqa: E402
from openapi_test import canonical  # noqa: E402

RATE = 50
CONNECTIONS = 16


class Honest:
    """Resting bids, signed before they are timed, of as many buyers as open_orders needs."""

    def __init__(self, market, scopes, seconds):
        self.market, self.scopes = market, []
        for _ in range(scopes):
            orders = []
            while len(orders) < RATE * seconds:
                buyer = market.funded()
                for nonce in range(min(200, RATE * seconds - len(orders))):
                    orders.append(post("/v1/bids", market.bid_body(buyer, nonce)))
            self.scopes.append(orders)

    def measure(self):
        took, statuses, orders = [], [], list(enumerate(self.scopes.pop()))
        began = time.perf_counter()
        lock = threading.Lock()

        def send():
            connection = stream = None
            while True:
                with lock:
                    if not orders:
                        return
                    i, order = orders.pop(0)
                meant = began + i / RATE
                if (early := meant - time.perf_counter()) > 0:
                    time.sleep(early)
                status, body = None, b""
                for _ in range(3):
                    try:
                        if connection is None:
                            connection = connect(self.market.port, "127.0.0.1")
                            stream = connection.makefile("rb")
                        connection.sendall(order)
                        status, body = read_answer(stream)
                        break
                    except OSError:
                        connection = None
                took.append((time.perf_counter() - meant) * 1000)
                statuses.append(status)
                if status != 200:
                    print(f"  an honest order failed: {status} {body[:200]}")

        senders = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        took.sort()
        failed = sum(status != 200 for status in statuses)
        return statistics.median(took), took[int(len(took) * 0.99)], failed


class Market:
    def __init__(self, program, state):
        self.operator = FastKey()
        self.exchange = Exchange(program, state, self.operator.address, "--rules", "none")
        self.port, self.pid = self.exchange.port, self.exchange.process.pid
        self.client = Client(self.port)
        self.info = self.client.get("/v1/exchange").json
        self.domain = Domain(self.info["domain"]["salt"])
        self.client.domain = self.domain
        self.grants = itertools.count(1)
        self.lied = ()
        self.deadline = int(time.time()) + 3600

    def funded(self):
        key = FastKey()
        grant = {"to": key.address, "amount": str(10**9), "nonce": next(self.grants),
                 "deadline": self.deadline}
        body = {"grant": grant, "signature": self.domain.sign(self.operator, "Grant", grant)}
        while (answer := self.client.post("/v1/grants", body)).status == 429:
            time.sleep(0.1)
        assert answer.status == 200, answer.body
        return key

    def bid_body(self, buyer, nonce, **change):
        spec = {"job": {"name": "t", "run": "true"}, "query": "cores>=1", "split": False,
                "immediate_or_cancel": False}
        now = int(time.time())
        bid = {"buyer": buyer.address, "meter": self.info["meter"], "maxRate": "1", "nodes": 1,
               "unitsPerNode": 2, "maxSeconds": 600, "earliestStart": now - 60,
               "latestStart": self.deadline, "validUntil": self.deadline, "allOrNone": True,
               "interruptible": False, "grace": 30, "maxTotal": "2400000", "maxFeeBps": 10000,
               "specHash": "0x" + keccak(canonical(spec).encode()).hex(), "nonce": nonce} | change
        return json.dumps({"bid": bid, "spec": spec,
                           "signature": self.domain.sign(buyer, "Bid", bid)}).encode()

    def cancel_body(self, buyer, nonce, serial):
        cancel = {"owner": buyer.address, "word": nonce // 256,
                  "mask": "0x" + (1 << (nonce % 256)).to_bytes(32, "big").hex(), "nonce": serial,
                  "deadline": self.deadline, "maxRelayFee": "0"}
        return json.dumps({"cancel": cancel,
                           "signature": self.domain.sign(buyer, "CancelBids", cancel)}).encode()

    def status(self, name):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name))

    def rss_mb(self):
        return self.status("VmRSS") / 1024

    def peak_mb(self):
        return self.status("VmHWM") / 1024

    def reset_peak(self):
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")


def attacked(market, honest, name):
    attackers = ATTACKS[name](market)
    context = multiprocessing.get_context("fork")
    stop = context.Event()
    before = market.rss_mb()
    market.reset_peak()
    running = []
    for attacker in attackers:
        ready, count = context.Event(), context.Value("Q", 0, lock=False)
        process = context.Process(target=attacker, args=(stop, ready, count), daemon=True)
        process.start()
        running.append((process, ready, count))
    for _, ready, _ in running:
        assert ready.wait(60), name
    began = time.monotonic()
    p50, p99, failed = honest.measure()
    lasted = time.monotonic() - began
    stop.set()
    for process, _, _ in running:
        process.join(5)
        if process.is_alive():
            process.kill()
    peak = market.peak_mb()
    time.sleep(0.5)
    done = sum(count.value for _, _, count in running)
    said = f"{done / lasted:,.0f}/s" if attackers else ""
    if name == "idle connections":
        said = f"{done:,}"
    elif name == "huge and endless":
        said = f"{done / lasted / 1024:,.0f} MiB/s"
    if name == "lies about time":
        market.lied += (time.time(),)
    print(f"| {name} | {said} | {p50:.1f} | {p99:.1f} | {failed} | {before:.0f} | {peak:.0f} | "
          f"{market.rss_mb():.0f} |", flush=True)


def tell_the_bill(market):
    """What the liar's lease costs once the exchange has given its agent up: its grace is 30 s."""
    walk, lease, since, until = market.lied
    while True:
        shown = walk.client.get(f"/v1/leases/{lease}", walk.buyer).json
        if shown["state"] in ("settled", "failed"):
            break
        time.sleep(1)
    print(f"The liar's lease: {shown['state']}, {shown['secondsBilled']} s billed; its agent was "
          f"there for {until - since:.1f} s.")
    assert shown["secondsBilled"] <= until - since + 1, shown


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=int, default=5)
    arguments.add_argument("--bin", default=str(REPOSITORY / "build" / "release" / "mizan"))
    arguments.add_argument("--only", nargs="*", default=[])
    options = arguments.parse_args()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    names = [n for n in ATTACKS if not options.only or n in options.only]
    with tempfile.TemporaryDirectory(prefix="mizan-attack-") as state:
        market = Market(options.bin, state)
        try:
            honest = Honest(market, len(names), options.seconds)
            print("| attack | what it did | p50 ms | p99 ms | failed | RSS MB before | peak | after |")
            print("|---|---|---|---|---|---|---|---|")
            for name in names:
                attacked(market, honest, name)
            if market.lied:
                tell_the_bill(market)
        finally:
            market.exchange.stop()


if __name__ == "__main__":
    main()
