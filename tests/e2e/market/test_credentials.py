"""Proving facts to an exchange: what it keeps, and each bad credential refused by its own code."""
import base64
import json
import unittest

from harness import main
from policy_market import ISSUER, Issuer, PolicyMarket, claims

DAY_S = 86_400


def recoded(credential, place, change):
    """A compact token with the JSON of one part of its issuer's JWT changed."""
    jwt, rest = credential.split("~", 1)
    parts = jwt.split(".")
    value = json.loads(base64.urlsafe_b64decode(parts[place] + "=="))
    change(value)
    parts[place] = base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    return ".".join(parts) + "~" + rest


class Credentials(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.market = PolicyMarket(proven=False, grant=None).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.market.__exit__(None, None, None)

    def setUp(self):
        # A key of its own for each test: the exchange takes only so many credentials of an account.
        self.who = f"holder-{self._testMethodName}"
        self.market.make_party(self.who)

    def credential(self, said=None, **flags):
        return self.market.credential(self.who, said or claims(self.who), **flags)

    def submit(self, *words):
        return self.market.json(self.who, "credential", "submit", *words)["facts"]

    def code(self, file, *words, party=None):
        error = self.market.refused(party or self.who, "credential", "submit", file, *words)
        self.assertTrue(error["message"])
        return error["code"]

    def test_facts(self):
        market = self.market
        said = claims(self.who, hq="DE", listed_owners=[
            {"share": "0.3", "list": "EL", "effect": "licence"},
            {"share": "0.25", "list": "EL", "effect": "licence"}])
        facts = self.submit(self.credential(said))
        self.assertEqual((facts["issuer"], facts["country"], facts["hq"], facts["parentHq"]),
                         (ISSUER, "SG", "DE", "n/a"))
        self.assertEqual(facts["listedOwners"],
                         [{"share": "0.55", "effect": "licence"}])
        self.assertNotIn("record_locator", json.dumps(facts).replace('"name": "record_locator"', ""))
        shown = market.mizan(self.who, "credential", "submit", market.home(self.who) / "credential",
                             "--show", "country,record_locator,retention_days").stdout
        self.assertIn("headquarters", shown)
        self.assertIn("unknown", shown)
        self.assertNotIn("\x1b", shown)
        joined = market.mizan(self.who, "join", market.url).stdout
        self.assertIn("policy", joined)

    def test_expired(self):
        market = self.market
        file = self.credential(None, days=1)
        # Signed again by the issuer for a time that is over: the tool itself makes none such.
        expired = market.run(["/usr/bin/python3", "-c", RESIGN, file, market.issuer.key]).stdout
        file.write_text(expired)
        self.assertEqual(self.code(file), "credential_expired")

    def test_revoked(self):
        market = self.market
        uri, status = "https://issuer.example/status/1", market.folder / "status.jwt"
        words = [market.command(self.who)[0], "credential", "revoke", status, "--issuer-key",
                 market.issuer.key, "--uri", uri]
        market.run([*words, "--new"])
        file = self.credential(None, status_list=uri, status_index=7)
        good = market.json(self.who, "credential", "submit", file, "--status-list", status)
        self.assertEqual((good["facts"]["statusList"], good["facts"]["statusIndex"]), (uri, 7))
        self.assertNotEqual(self.code(file), "credential_revoked")  # nobody knows without the list
        market.run([*words, "--index", "7"])
        self.assertEqual(self.code(file, "--status-list", status), "credential_revoked")
        other = self.credential(None, status_list=uri, status_index=8)
        market.mizan(self.who, "credential", "submit", other, "--status-list", status)

    def test_bound_to_another_key(self):
        file = self.credential(None, holder="provider")
        self.assertEqual(self.code(file), "credential_wrong_holder")

    def test_tampered_disclosure(self):
        file = self.credential(claims(self.who, country="CU"))
        parts = file.read_text().strip().split("~")
        for i, part in enumerate(parts[1:-1], 1):
            salt, name, value = json.loads(base64.urlsafe_b64decode(part + "=="))
            if name == "country":
                parts[i] = base64.urlsafe_b64encode(
                    json.dumps([salt, name, "SG"]).encode()).decode().rstrip("=")
        file.write_text("~".join(parts) + "\n")
        self.assertEqual(self.code(file), "credential_tampered")

    def test_tampered_payload(self):
        file = self.credential(None, days=1)
        file.write_text(recoded(file.read_text(), 1,
                                lambda payload: payload.update(exp=payload["exp"] + 99 * DAY_S)))
        self.assertEqual(self.code(file), "credential_tampered")

    def test_swapped_algorithm(self):
        for algorithm in ("none", "HS256", "ES256K"):
            with self.subTest(algorithm=algorithm):
                file = self.credential()
                file.write_text(recoded(file.read_text(), 0,
                                        lambda header: header.update(alg=algorithm)))
                self.assertEqual(self.code(file), "credential_algorithm")

    def test_issuer_that_is_not_accepted(self):
        other = Issuer("https://another.example")
        file = self.credential(None, issuer=other)
        self.assertEqual(self.code(file), "credential_issuer")
        # Nor one that takes the accepted one's name.
        other.uri = ISSUER
        file = self.credential(None, issuer=other)
        self.assertEqual(self.code(file), "credential_tampered")

    def present(self, file, nonce, audience, name="presentation"):
        out = self.market.folder / name
        out.unlink(missing_ok=True)
        self.market.mizan(self.who, "credential", "present", file, "--show",
                          "country,hq,record_locator,retention_days", "--audience", audience,
                          "--nonce", nonce, "--out", out)
        return out

    def challenge(self):
        status, answer = self.market.get("/v1/credentials/challenge", b"{}", method="POST",
                                         headers={"Content-Type": "application/json"})
        self.assertEqual(status, 200)
        return answer

    def test_replayed(self):
        file = self.credential()
        fresh = self.challenge()
        shown = self.present(file, fresh["nonce"], fresh["audience"])
        self.market.mizan(self.who, "credential", "submit", shown)
        self.assertEqual(self.code(shown), "replayed")
        made_up = self.present(file, "ab" * 16, fresh["audience"])
        self.assertEqual(self.code(made_up), "replayed")

    def test_shown_to_another(self):
        file = self.credential()
        shown = self.present(file, self.challenge()["nonce"], "0x" + "11" * 32)
        self.assertEqual(self.code(shown), "credential_wrong_holder")

    def test_another_party_hands_it_in(self):
        file = self.credential()
        fresh = self.challenge()
        shown = self.present(file, fresh["nonce"], fresh["audience"])
        self.assertEqual(self.code(shown, party="provider"), "credential_wrong_holder")

    def test_claims_that_are_not_as_they_should_be(self):
        for name, value in (("country", "Atlantis"), ("lists", [{"id": "EL", "effect": "fun"}]),
                            ("listed_owners", [{"share": "1.5", "list": "E", "effect": "block"}]),
                            ("person_id", "me"), ("retention_days", 0), ("record_locator", "")):
            with self.subTest(name=name):
                file = self.credential(claims(self.who, **{name: value}))
                error = self.market.refused(self.who, "credential", "submit", file)
                self.assertEqual(error["code"], "credential_malformed")
                self.assertIn(name, error["details"]["field"])
        for name in ("record_locator", "retention_days"):
            with self.subTest(missing=name):
                file = self.credential(claims(self.who, **{name: None}))
                error = self.market.refused(self.who, "credential", "submit", file)
                self.assertEqual(error["code"], "credential_malformed")

    def test_garbage(self):
        file = self.market.folder / "garbage"
        file.write_text("hello")
        done = self.market.mizan(self.who, "credential", "submit", file, check=False)
        self.assertEqual(done.returncode, 2)
        file.write_text("a.b.c~d~")
        self.assertNotEqual(self.market.mizan(self.who, "credential", "submit", file,
                                              check=False).returncode, 0)


RESIGN = """
import base64, hashlib, json, subprocess, sys
def decode(text): return base64.urlsafe_b64decode(text + "==")
def encode(data): return base64.urlsafe_b64encode(data).decode().rstrip("=")
credential, key = open(sys.argv[1]).read().strip(), sys.argv[2]
jwt, rest = credential.split("~", 1)
header, payload, _ = jwt.split(".")
claims = json.loads(decode(payload))
claims["iat"] -= 30 * 86400
claims["exp"] = claims["iat"] + 86400
text = header + "." + encode(json.dumps(claims).encode())
der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text.encode(),
                     capture_output=True, check=True).stdout
def integer(at):
    size = der[at + 1]
    return int.from_bytes(der[at + 2:at + 2 + size], "big").to_bytes(32, "big"), at + 2 + size
r, at = integer(2)
s, _ = integer(at)
print(text + "." + encode(r + s) + "~" + rest)
"""


if __name__ == "__main__":
    main()
