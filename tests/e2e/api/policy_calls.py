"""The calls of policy, for openapi_test.py: rules, credentials, a held deal, officers.

Issuers sign with `mizan credential`; the holder's key binding is made here, by another program.
"""
import base64
import hashlib
import json
import pathlib
import subprocess
import time

from client import Key
from eip712 import G, ROOT, _times, keccak

URI = "urn:mizan:development"
ZERO = "0x" + "00" * 32
NOBODY = "0x" + "00" * 20


def canonical(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def base64url(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Issuer:
    """A development issuer with its key in a folder."""

    def __init__(self, program, folder):
        self.program, self.folder = program, pathlib.Path(folder)
        self.pem = self.folder / "issuer.pem"
        self.jwk = self.folder / "issuer.jwk"
        self.jwk.write_text(self.mizan("issuer", self.pem))

    def mizan(self, *words):
        return subprocess.run([self.program, "credential", *map(str, words)], check=True,
                              capture_output=True, text=True).stdout

    def issue(self, holder, claims, *more):
        x, y = (n.to_bytes(32, "big") for n in _times(holder.secret, G))
        jwk, file = self.folder / "holder.jwk", self.folder / "claims.json"
        jwk.write_text(json.dumps({"kty": "EC", "crv": "secp256k1", "x": base64url(x),
                                   "y": base64url(y)}))
        file.write_text(json.dumps(claims))
        return self.mizan("issue", "--issuer-key", self.pem, "--issuer", URI, "--holder", jwk,
                          "--claims", file, *more).strip()


def present(credential, holder, challenge):
    """All of a credential, bound by the holder's key (ES256K)."""
    payload = {"iat": int(time.time()), "aud": challenge["audience"], "nonce": challenge["nonce"],
               "sd_hash": base64url(hashlib.sha256(credential.encode()).digest())}
    head = base64url(json.dumps({"alg": "ES256K", "typ": "kb+jwt"}).encode())
    text = head + "." + base64url(json.dumps(payload).encode())
    signature = holder.sign_digest(hashlib.sha256(text.encode()).digest())
    return credential + text + "." + base64url(bytes.fromhex(signature[2:130]))


def claims(country, person):
    return {"country": country, "hq": country, "parent_hq": "n/a", "lists": [], "listed_owners": [],
            "person_id": "0x" + person * 64, "record_locator": "R-1", "retention_days": 1825}


class PolicyCalls:
    def __init__(self, walk, operator, issuer):
        self.walk, self.operator, self.issuer = walk, operator, issuer
        self.officer, self.nonces = Key(), 0

    def soon(self):
        self.nonces += 1
        return {"nonce": self.nonces, "deadline": int(time.time()) + 60}

    def prove(self, holder, given):
        c = self.walk.client
        self.walk.beat([])  # so that the agent's pings are answered on a slow machine too
        challenge = self.walk.expect(200, c.post("/v1/credentials/challenge", {})).json
        body = {"presentation": present(self.issuer.issue(holder, given), holder, challenge)}
        return body, c.post("/v1/credentials", body, key=holder)

    def credentials(self):
        walk, c = self.walk, self.walk.client
        body, answer = self.prove(walk.buyer, claims("SG", "1"))
        walk.check_acknowledgement(walk.expect(200, answer))
        assert answer.json["facts"]["country"] == "SG"
        walk.expect(401, c.post("/v1/credentials", body, key=walk.buyer), "replayed")
        walk.expect(401, c.post("/v1/credentials", body), "unauthenticated")
        walk.expect(400, c.post("/v1/credentials", body, key=walk.provider),
                    "credential_wrong_holder")
        walk.expect(400, self.prove(walk.buyer, claims("Singapore", "1"))[1],
                    "credential_malformed")
        walk.expect(413, c.post("/v1/credentials", b"x" * 600_000, key=walk.buyer))
        walk.expect(400, c.post("/v1/credentials/challenge", {"more": 1}), "unknown_field")
        walk.expect(413, c.post("/v1/credentials/challenge", b"x" * 70_000))
        # The provider proves nothing: its deals wait for an officer.

    def rules(self):
        walk, c, operator = self.walk, self.walk.client, self.operator
        files = {p.name: p.read_text() for p in (ROOT / "policy").glob("*.json")}

        def put(body, key):
            return c.call("PUT", "/v1/policy/rulesets", body, key)

        kept = walk.expect(201, put({"files": files}, operator)).json
        walk.expect(200, put({"files": files}, operator))
        walk.expect(400, put({"files": {"a.json": "{}"}}, operator))
        walk.expect(401, put({"files": files}, None))
        walk.expect(403, put({"files": files}, walk.buyer))
        walk.expect(413, c.call("PUT", "/v1/policy/rulesets", b"", operator,
                                more={"Content-Length": str(2**40)}))
        path = "/v1/policy/rulesets/" + kept["ruleSet"]
        text = walk.expect(200, c.get(path)).body
        assert "0x" + hashlib.sha256(text).hexdigest() == kept["ruleSet"]
        walk.expect(400, c.get(path + "?%zz"))
        walk.expect(404, c.get("/v1/policy/rulesets/" + "0x" + "12" * 32))

        options = {"issuers": {URI: json.loads(self.issuer.jwk.read_text())},
                   "officers": [self.officer.address], "developmentIssuers": True}
        change = {"ruleSet": kept["ruleSet"], "pending": False,
                  "optionsHash": "0x" + keccak(canonical(options).encode()).hex()} | self.soon()
        body = walk.signed(operator, "PolicyChange", "change", change, options=options)
        nowhere = change | {"ruleSet": "0x" + "12" * 32}
        walk.expect(404, c.post("/v1/policy", walk.signed(operator, "PolicyChange", "change",
                                                          nowhere, options=options)))
        walk.expect(400, c.post("/v1/policy", body | {"options": {}}))
        walk.expect(401, c.post("/v1/policy", walk.signed(walk.buyer, "PolicyChange", "change",
                                                          change, options=options)))
        walk.expect(413, c.post("/v1/policy", b"x" * 140_000))
        walk.check_acknowledgement(walk.expect(200, c.post("/v1/policy", body)))
        assert walk.expect(200, c.get("/v1/policy")).json["ruleSet"] == kept["ruleSet"]
        walk.expect(400, c.get("/v1/policy?%zz"))

    def order(self, kind, field, message, key=None, signer=None):
        key = key or self.officer
        return {"officer": key.address} | self.walk.signed(signer or key, kind, field, message)

    def officers(self):
        walk, c = self.walk, self.walk.client
        walk.beat([])
        plan = walk.plan(buyer=walk.buyer.address)
        line = walk.expect(200, c.post("/v1/plan", plan, key=walk.buyer)).json["offers"][0]
        assert line["disposition"] == "hold" and line["note"]
        walk.expect(401, c.post("/v1/plan", plan))
        walk.expect(403, c.post("/v1/plan", plan, key=walk.stranger))
        refused = walk.expect(409, c.post("/v1/bids", walk.bid(600)), "no_match").json
        assert any(r["dimension"] == "policy" for r in refused["details"]["reasons"])

        placed = walk.expect(200, c.post("/v1/bids", walk.bid(601, ioc=False))).json
        assert placed["status"] == "held" and placed["leases"][0]["heldUntilMs"]
        lease = placed["leases"][0]["lease"]
        verdict = f"/v1/leases/{lease}/verdict"
        for key in (walk.buyer, walk.provider, self.officer):
            walk.expect(200, c.get(verdict, key))
        walk.expect(200, c.get(verdict + "?lang=ar", walk.buyer))
        walk.expect(400, c.get(verdict + "?lang=fr", walk.buyer))
        walk.expect(401, c.get(verdict))
        walk.expect(403, c.get(verdict, walk.stranger))
        walk.expect(404, c.get("/v1/leases/" + ZERO + "/verdict", walk.buyer))
        queue = walk.expect(200, c.get("/v1/policy/queue", self.officer)).json["leases"]
        assert [row["lease"]["lease"] for row in queue] == [lease]
        for target in ("/v1/policy/queue", "/v1/policy/review"):
            walk.expect(200, c.get(target, self.operator))
            walk.expect(400, c.get(target + "?%zz", self.officer))
            walk.expect(401, c.get(target))
            walk.expect(403, c.get(target, walk.buyer))

        target = "/v1/policy/decisions"
        asked = placed["leases"][0]["verdict"]["hash"]
        message = {"lease": lease, "verdict": asked, "approve": False,
                   "reason": "not this one"} | self.soon()
        walk.expect(401, c.post(target, self.order("Decision", "decision", message,
                                                   signer=walk.buyer)))
        walk.expect(403, c.post(target, self.order("Decision", "decision", message, walk.buyer)))
        walk.expect(404, c.post(target, self.order("Decision", "decision",
                                                   message | {"lease": ZERO})))
        changed = walk.expect(409, c.post(target, self.order("Decision", "decision",
                                                             message | {"verdict": ZERO})),
                              "conflict").json
        assert changed["details"]["verdict"] == asked
        walk.expect(400, c.post(target, {}))
        walk.expect(413, c.post(target, b"x" * 70_000))
        body = self.order("Decision", "decision", message)
        answer = walk.expect(200, c.post(target, body))
        walk.check_acknowledgement(answer)
        assert answer.json["lease"]["reason"] == "policy_rejected"
        walk.expect(409, c.post(target, body), "conflict")
        self.files()

    def files(self):
        walk, c = self.walk, self.walk.client
        listing = {"account": walk.stranger.address, "person": ZERO, "group": ZERO, "list": "SDN",
                   "effect": "block", "listed": True} | self.soon()
        licence = {"number": "L-1", "chip": "H100 SXM", "units": 8, "destination": "SG",
                   "party": NOBODY, "expires": 20991231} | self.soon()
        for target, kind, field, message in (
                ("/v1/policy/listings", "Listing", "listing", listing),
                ("/v1/policy/licences", "LicenceOnFile", "licence", licence)):
            walk.expect(401, c.post(target, self.order(kind, field, message, signer=walk.buyer)))
            walk.expect(403, c.post(target, self.order(kind, field, message, walk.buyer)))
            walk.expect(400, c.post(target, {}))
            walk.expect(413, c.post(target, b"x" * 70_000))
            walk.check_acknowledgement(
                walk.expect(200, c.post(target, self.order(kind, field, message))))
        unknown = listing | {"listed": False, "list": "EL"} | self.soon()
        walk.expect(404, c.post("/v1/policy/listings", self.order("Listing", "listing", unknown)))
