#!/usr/bin/env python3
"""openapi_test.py MIZAN: goes through every call of a running exchange, good and bad, and holds each
answer against protocol/openapi.json (which it fetches from the exchange itself): a status that the
document does not name, a field too many or too few, a call or a status that nobody tried, all fail.
"""
import hashlib
import json
import re
import sys
import tempfile
import time

import jsonschema

from client import Client, Domain, Exchange, Key, WebSocket
from eip712 import ROOT, checksum, keccak
from policy_calls import Issuer, PolicyCalls

ZERO = "0x" + "00" * 32
# What no honest run can bring about on demand.
UNTRIED = {"500", "503", "429"}


def canonical(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


class Document:
    def __init__(self, document):
        self.document = document
        self.tried = set()
        self.patterns = [(re.compile("^" + re.sub(r"\{[^}]*\}", "[^/?]+", path) + "$"), path)
                         for path in document["paths"]]
        self.resolver = jsonschema.RefResolver.from_schema(document)

    def resolve(self, node):
        while "$ref" in node:
            node = self.resolver.resolve(node["$ref"])[1]
        return node

    def observe(self, method, target, answer):
        path = target.split("?")[0]
        where = next((p for pattern, p in self.patterns if pattern.match(path)), None)
        name = f"{method} {target[:80]} -> {answer.status}"
        if where is None or method.lower() not in self.document["paths"][where]:
            assert answer.status == 404, f"{name}: the document does not know this call"
            self.check({"$ref": "#/components/schemas/Error"}, answer.json, name)
            return
        operation = self.document["paths"][where][method.lower()]
        response = operation["responses"].get(str(answer.status))
        assert response, f"{name}: the document does not name this status; {answer.body[:300]}"
        self.tried.add((where, method.lower(), str(answer.status)))
        content = self.resolve(response).get("content", {})
        kind = answer.headers.get("Content-Type", "").split(";")[0]
        assert kind in content, f"{name}: {kind} is not among {list(content)}"
        if kind == "application/json":
            self.check(content[kind]["schema"], answer.json, name)

    def check(self, schema, value, name):
        validator = jsonschema.Draft202012Validator(schema, resolver=self.resolver)
        faults = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}"
                  for e in validator.iter_errors(value)]
        assert not faults, f"{name}: {faults[:3]} in {json.dumps(value)[:500]}"

    def untried(self):
        """Every call's success and failures that no call showed."""
        return sorted((path, method, status)
                      for path, item in self.document["paths"].items()
                      for method, operation in item.items()
                      for status in operation["responses"]
                      if status not in UNTRIED and status != "101" and
                      (path, method, status) not in self.tried)


class Walk:
    def __init__(self, exchange):
        port = exchange.port
        plain = Client(port)
        self.document = Document(plain.get("/v1/openapi.json").json)
        on_disk = json.loads((ROOT / "protocol/openapi.json").read_text())
        assert self.document.document == on_disk, "the document served is not the repository's"
        info = plain.get("/v1/exchange").json
        identity = bytes.fromhex(info["identity"][2:])
        assert info["id"] == "0x" + keccak(b"mizan-exchange" + identity).hex()
        assert info["identity"] == checksum(identity)
        self.info = info
        self.domain = Domain(info["domain"]["salt"])
        self.client = Client(port, self.domain, self.document.observe)
        self.provider, self.buyer, self.stranger = Key(), Key(), Key()
        self.meter = Key()  # the buyer's own

    def signed(self, key, kind, field, message, **more):
        return {field: message, "signature": self.domain.sign(key, kind, message), **more}

    def grant(self, operator, to, amount, nonce, deadline=60):
        message = {"to": to, "amount": str(amount), "nonce": nonce,
                   "deadline": int(time.time()) + deadline}
        return self.signed(operator, "Grant", "grant", message)

    def ask(self, nonce):
        attributes = {"cores": {"value": 4, "source": "measured"},
                      "country": {"value": "DE", "source": "self_reported"}}
        now = int(time.time())
        message = {"provider": self.provider.address, "chip": "cpu", "nodes": 1, "unitsPerNode": 4,
                   "minUnits": 1, "rate": "1000", "from": now - 10, "until": now + 10_000,
                   "minSeconds": 1, "maxSeconds": 3600, "interruptible": False, "noticeSeconds": 0,
                   "attributesHash": "0x" + keccak(canonical(attributes).encode()).hex(),
                   "claimsHash": ZERO, "payeesHash": ZERO, "nonce": nonce}
        return self.signed(self.provider, "Ask", "ask", message, attributes=attributes)

    def bid(self, nonce, buyer=None, **change):
        buyer = buyer or self.buyer
        workdir = change.pop("workdir", None)
        spec = {"job": {"name": "t", "run": "true", "workdir": workdir}, "query": "cores>=1",
                "split": False, "immediate_or_cancel": change.pop("ioc", True)}
        now = int(time.time())
        message = {"buyer": buyer.address, "meter": self.info["meter"], "maxRate": "2000",
                   "nodes": 1, "unitsPerNode": 2, "maxSeconds": 600, "earliestStart": now - 60,
                   "latestStart": now + 60, "validUntil": now + 60, "allOrNone": True,
                   "interruptible": False, "grace": 30, "maxTotal": "2400000", "maxFeeBps": 10000,
                   "specHash": "0x" + keccak(canonical(spec).encode()).hex(),
                   "nonce": nonce} | change
        return self.signed(buyer, "Bid", "bid", message, spec=spec)

    def check_acknowledgement(self, answer):
        a = answer.json["acknowledgement"]
        assert a["firstSequence"] <= answer.json["sequence"] <= a["lastSequence"]
        assert self.domain.signer("Acknowledgement", a,
                                  answer.json["acknowledgementSignature"]) == self.info["identity"]

    def expect(self, status, answer, code=None):
        assert answer.status == status, f"{answer.status} instead of {status}: {answer.body[:300]}"
        assert code is None or answer.json["code"] == code, answer.body
        return answer

    def public(self):
        c = self.client
        for target in ("/v1/exchange", "/v1/openapi.json", "/v1/health", "/v1/metrics", "/v1/offers"):
            self.expect(200, c.get(target))
        for target in ("/v1/exchange?%zz", "/v1/openapi.json?%zz", "/v1/health?%zz",
                       "/v1/metrics?%zz", "/v1/offers?limit=x"):
            self.expect(400, c.get(target))
        self.expect(404, c.get("/v1/nothing"), "not_found")
        assert WebSocket(c, "/v1/offers/watch?query=%3D").refused.status == 400

    def money(self, operator):
        c, buyer = self.client, self.buyer
        good = self.grant(operator, buyer.address, 10**9, 1)
        answer = self.expect(200, c.post("/v1/grants", good, idempotency="g1"))
        self.check_acknowledgement(answer)
        self.expect(200, c.post("/v1/grants", good, idempotency="g1"))
        self.expect(401, c.post("/v1/grants", good), "replayed")
        self.expect(401, c.post("/v1/grants", self.grant(buyer, buyer.address, 1, 2)),
                    "unauthenticated")
        self.expect(400, c.post("/v1/grants", good | {"more": 1}), "unknown_field")
        self.expect(413, c.post("/v1/grants", b"x" * 70_000), "too_large")
        account = "/v1/accounts/" + buyer.address
        assert self.expect(200, c.get(account, buyer)).json["balance"] == str(10**9)
        self.expect(200, c.get(account, operator))
        self.expect(403, c.get(account, self.stranger), "forbidden")
        self.expect(401, c.get(account), "unauthenticated")
        self.expect(400, c.get("/v1/accounts/me", buyer))

    def market(self):
        c, now = self.client, int(time.time())
        ask = self.ask(1)
        self.expect(409, c.post("/v1/plan", self.plan()), "no_match")
        self.check_acknowledgement(self.expect(200, c.post("/v1/asks", ask)))
        self.expect(400, c.post("/v1/asks", ask | {"attributes": {}}))
        self.expect(401, c.post("/v1/asks", ask | {"signature": self.ask(3)["signature"]}))
        self.expect(413, c.post("/v1/asks", b"x" * 140_000))
        self.agent = WebSocket(c, "/v1/agent", self.provider)
        assert self.agent.wait_for("welcome")["leases"] == []
        self.beats = 0
        self.beat([])
        for key, status in ((None, 401),):
            assert WebSocket(c, "/v1/agent", key).refused.status == status
        assert WebSocket(c, "/v1/agent?%zz", self.provider).refused.status == 400
        offers = self.expect(200, c.get("/v1/offers?query=cores%3E%3D4&order=rate&limit=10")).json
        assert len(offers["offers"]) == 1
        watch = WebSocket(c, "/v1/offers/watch?query=")
        self.document.check({"type": "array", "items": {"$ref": "#/components/schemas/Offer"}},
                            watch.wait_for("offers")["offers"], "watch")
        line = self.expect(200, c.post("/v1/plan", self.plan())).json["offers"][0]
        assert line["escrow"] == str(1000 * 2 * 60)
        self.expect(400, c.post("/v1/plan", {"nodes": 1}))
        self.expect(413, c.post("/v1/plan", b"x" * 70_000))

        second = self.ask(2)
        order = self.expect(200, c.post("/v1/asks", second)).json["order"]
        cancel = {"provider": self.provider.address, "ask": order}
        body = self.signed(self.provider, "CancelAsk", "cancel", cancel)
        self.check_acknowledgement(self.expect(200, c.post("/v1/asks/cancel", body)))
        self.expect(404, c.post("/v1/asks/cancel", body))
        self.expect(400, c.post("/v1/asks/cancel", {}))
        self.expect(401, c.post("/v1/asks/cancel",
                                body | {"signature": self.domain.sign(self.buyer, "CancelAsk",
                                                                      cancel)}))
        self.expect(413, c.post("/v1/asks/cancel", b"x" * 70_000))

        resting = self.bid(1000, ioc=False, maxRate="1")
        assert self.expect(200, c.post("/v1/bids", resting)).json["status"] == "resting"
        spend = {"owner": self.buyer.address, "word": 3, "mask": ZERO[:-1] + "1", "nonce": 1,
                 "deadline": now + 60, "maxRelayFee": "0"}
        body = self.signed(self.buyer, "CancelBids", "cancel", spend)
        self.check_acknowledgement(self.expect(200, c.post("/v1/bids/cancel", body)))
        self.expect(400, c.post("/v1/bids/cancel", body | {"cancel": spend | {"mask": "1"}}))
        self.expect(401, c.post("/v1/bids/cancel",
                                body | {"signature": self.domain.sign(self.stranger, "CancelBids",
                                                                      spend)}))
        self.expect(401, c.post("/v1/bids/cancel", self.signed(
            self.buyer, "CancelBids", "cancel", spend | {"deadline": now - 60})), "expired")
        self.expect(413, c.post("/v1/bids/cancel", b"x" * 70_000))

    def plan(self, **change):
        return {"nodes": 1, "unitsPerNode": 2, "query": "cores>=2", "maxRate": "1000",
                "maxSeconds": 60} | change

    def beat(self, leases):
        self.beats += 1
        message = {"provider": self.provider.address, "sequence": self.beats,
                   "sentAtMs": int(time.time() * 1000), "leases": leases}
        self.agent.send(self.signed(self.provider, "Heartbeat", "heartbeat", message,
                                    type="heartbeat", id=self.beats))
        self.agent.wait_for("reply", lambda m: m["id"] == self.beats)

    def refused_bids(self):
        c = self.client
        self.expect(402, c.post("/v1/bids", self.bid(1, self.stranger)), "insufficient_funds")
        self.expect(409, c.post("/v1/bids", self.bid(2, maxRate="1")), "no_match")
        self.expect(400, c.post("/v1/bids", self.bid(2) | {"spec": {}}))
        self.expect(401, c.post("/v1/bids", self.bid(2) | {"signature": self.bid(3)["signature"]}))
        self.expect(413, c.post("/v1/bids", b"x" * 600_000))

    def job(self):
        c, buyer, provider = self.client, self.buyer, self.provider
        tree = b"a working tree" * 1000
        name = hashlib.sha256(tree).hexdigest()
        artifact = "/v1/artifacts/0x" + name
        self.expect(201, c.call("PUT", artifact, tree, buyer))
        self.expect(200, c.call("PUT", artifact, tree, buyer))
        self.expect(400, c.call("PUT", artifact, b"other", buyer))
        self.expect(401, c.call("PUT", artifact, tree))
        self.expect(402, c.call("PUT", artifact, tree, self.stranger))
        self.expect(413, c.call("PUT", artifact, b"", buyer, more={"Content-Length": str(2**40)}))

        placed = self.expect(200, c.post("/v1/bids", self.bid(10, workdir="0x" + name,
                                                              meter=self.meter.address),
                                         idempotency="bid-10"))
        self.check_acknowledgement(placed)
        lease = placed.json["leases"][0]["lease"]
        path = "/v1/leases/" + lease
        match = self.agent.wait_for("match")
        terms = match["terms"]
        assert lease == "0x" + self.domain.digest("Terms", terms).hex()
        stream = WebSocket(c, path + "/stream?offset=0", buyer)
        self.agent.send(self.signed(provider, "Terms", "terms", terms, type="accept", id=1000))
        funded = self.agent.wait_for("funded")
        assert self.domain.signer("Clearance", funded["clearance"],
                                  funded["signature"]) == self.info["clearance"]
        assert self.expect(200, c.get(artifact, provider)).body == tree
        part = self.expect(206, c.get(artifact, provider, more={"Range": "bytes=2-8"}))
        assert part.body == tree[2:9]
        self.expect(416, c.get(artifact, buyer, more={"Range": "bytes=999999-"}))
        self.expect(404, c.get(artifact, self.stranger))
        self.expect(401, c.get(artifact))
        self.expect(400, c.get(artifact + "?%zz", buyer))

        self.expect(409, c.get(path + "/receipt", buyer))
        started = time.time()
        ran = 0
        while ran < 2000:
            time.sleep(0.2)
            ran = int((time.time() - started) * 1000)
            self.beat([self.status(lease, 2, ran)])
        self.agent.send({"type": "log", "lease": lease, "offset": 0, "data": "aGVsbG8K"})
        assert self.agent.wait_for("log_ok")["size"] == 6
        self.expect(200, c.get(path, buyer))
        assert self.expect(200, c.get(path + "/logs?offset=1", provider)).body == b"ello\n"

        self.vouchers(path, lease, terms)

        request = {"lease": lease, "nonce": 1, "deadline": int(time.time()) + 60, "maxRelayFee": "0"}
        body = self.signed(buyer, "RequestClose", "request", request)
        self.expect(401, c.post(path + "/request-close",
                                self.signed(provider, "RequestClose", "request", request)))
        self.expect(400, c.post(path + "/request-close", {}))
        self.expect(413, c.post(path + "/request-close", b"x" * 70_000))
        nowhere = {**request, "lease": "0x" + "77" * 32}
        self.expect(404, c.post("/v1/leases/0x" + "77" * 32 + "/request-close",
                                self.signed(buyer, "RequestClose", "request", nowhere)))
        self.check_acknowledgement(self.expect(200, c.post(path + "/request-close", body)))
        self.agent.wait_for("stop")
        self.beat([self.status(lease, 4, ran, 7, "completed", "0x" + name)])
        close = {"lease": lease, "minPaid": "0"}
        self.agent.send(self.signed(provider, "Close", "close", close, type="close", id=2000))
        while not (metering := self.expect(200, c.get(path + "/metering", buyer)).json)["closing"]:
            time.sleep(0.05)
        rest = metering["secondsBilled"] * int(terms["rate"]) * terms["unitsPerNode"]
        self.expect(200, c.post(path + "/voucher", self.voucher(self.meter, lease, rest)))
        closed = self.agent.wait_for("closed")
        assert closed["receipt"]["charged"] == str(rest)
        assert self.domain.signer("Receipt", closed["receipt"],
                                  closed["signature"]) == self.info["identity"]
        self.expect(409, c.post(path + "/request-close", body))
        for message in iter(stream.receive, None):
            if message["type"] in ("lease", "closed"):
                self.document.check({"$ref": "#/components/schemas/Lease"}, message["lease"],
                                    "stream")
            last = message
        assert last["type"] == "closed" and last["lease"]["state"] == "settled"
        bundle = self.expect(200, c.get(path + "/receipt", buyer)).json
        assert bundle["receipt"] == closed["receipt"]
        assert self.domain.signer("Terms", bundle["terms"],
                                  bundle["termsSignature"]) == provider.address
        if bundle["voucher"]:
            assert self.domain.signer("Voucher", bundle["voucher"],
                                      bundle["voucherSignature"]) == self.meter.address
        return path

    def voucher(self, key, lease, cumulative):
        return self.signed(key, "Voucher", "voucher",
                           {"lease": lease, "cumulative": str(cumulative)})

    def vouchers(self, path, lease, terms):
        """The buyer's own meter: what it rests on, and its word."""
        c = self.client
        metering = self.expect(200, c.get(path + "/metering", self.buyer)).json
        assert metering["status"]["lease"] == lease and len(metering["heartbeat"]["leases"]) == 1
        second = int(terms["rate"]) * terms["unitsPerNode"]
        good = self.voucher(self.meter, lease, second)
        self.expect(401, c.post(path + "/voucher", self.voucher(self.buyer, lease, second)))
        self.expect(400, c.post(path + "/voucher", {}))
        self.expect(413, c.post(path + "/voucher", b"x" * 70_000))
        nowhere = "0x" + "77" * 32
        self.expect(400, c.post(f"/v1/leases/{nowhere}/voucher", good))
        self.expect(404, c.post(f"/v1/leases/{nowhere}/voucher",
                                self.voucher(self.meter, nowhere, second)))
        self.expect(409, c.post(path + "/voucher", self.voucher(self.meter, lease, 600 * second)))
        self.check_acknowledgement(self.expect(200, c.post(path + "/voucher", good)))
        assert self.agent.wait_for("voucher")["voucher"]["cumulative"] == str(second)
        self.expect(409, c.post(path + "/voucher", good))

    @staticmethod
    def status(lease, phase, ran, exit_code=0, reason="", outputs=ZERO):
        return {"lease": lease, "phase": phase, "stagedMs": 0, "ranMs": ran, "exitCode": exit_code,
                "reason": reason, "outputs": outputs}

    def leases(self, path, operator):
        c = self.client
        self.expect(200, c.get("/v1/leases", self.buyer))
        self.expect(200, c.get("/v1/leases?account=" + self.provider.address + "&state=settled",
                               operator))
        self.expect(400, c.get("/v1/leases?state=settled&limit=x", self.buyer))
        self.expect(401, c.get("/v1/leases"))
        self.expect(403, c.get("/v1/leases?account=" + self.provider.address, self.buyer))
        for part in ("", "/logs", "/metering", "/receipt"):
            self.expect(401, c.get(path + part))
            self.expect(403, c.get(path + part, self.stranger))
            self.expect(404, c.get("/v1/leases/0x" + "11" * 32 + part, self.buyer))
            self.expect(400, c.get(path + part + "?%zz", self.buyer))
        assert WebSocket(c, path + "/stream").refused.status == 401
        assert WebSocket(c, path + "/stream", self.stranger).refused.status == 403
        assert WebSocket(c, path + "/stream?offset=x", self.buyer).refused.status == 400
        nowhere = "/v1/leases/0x" + "11" * 32 + "/stream"
        assert WebSocket(c, nowhere, self.buyer).refused.status == 404


def main():
    operator = Key()
    with tempfile.TemporaryDirectory() as state, tempfile.TemporaryDirectory() as papers:
        issuer = Issuer(sys.argv[1], papers)
        exchange = Exchange(sys.argv[1], state, operator.address, "--fee-bps", "200", "--rules",
                            "none", "--development-issuer", str(issuer.jwk))
        try:
            walk = Walk(exchange)
            walk.public()
            walk.money(operator)
            walk.market()
            walk.refused_bids()
            path = walk.job()
            walk.leases(path, operator)
            policy = PolicyCalls(walk, operator, issuer)
            policy.credentials()
            policy.rules()
            policy.officers()
            untried = walk.document.untried()
            print(f"{len(walk.document.tried)} answers by call and status as documented; "
                  f"untried: {untried}")
        finally:
            code = exchange.stop()
    assert code == 0, f"the exchange ended with {code}"
    succeeded = [u for u in untried if u[2].startswith("2")]
    assert not succeeded, f"nobody tried {succeeded}"


if __name__ == "__main__":
    main()
