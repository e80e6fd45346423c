"""Deals before the rules: allowed, held and refused; officers; a verdict made again; new rules."""
import json
import re
import signal
import time
import unittest

from harness import counting_job, main, wait_until
from policy_market import INFERENCE, RULES, TRAINING, PolicyMarket

NO_TRAINING = {"format": "mizan.policy.1", "rules": [{
    "rule": "op.no_training", "head": "end_use", "jurisdiction": "US", "from": None, "until": None,
    "in_text": True, "enforced": True, "min_evidence": "self_declared", "unverified": False,
    "citation": "terms of service, 3", "sentence": "No training on this exchange.",
    "when": {"fact": "training", "is": True}, "outcome": "PROHIBITED"}]}


class Policy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.market = PolicyMarket().__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.market.__exit__(None, None, None)

    def held(self, party, *words, name):
        """A job that waits for an officer: its client, and the lease as the queue has it."""
        client = self.market.start_run("--hold", *words, "--", "echo", "let", "through",
                                       party=party, name=name)
        rows = wait_until(lambda: self.market.queue() or client.process.poll() is not None
                          and [None], "a held deal")
        self.assertIsNotNone(rows[0], client.said())
        self.assertEqual(len(rows), 1)
        return client, rows[0]["lease"]

    def test_1_allowed(self):
        market = self.market
        self.assertIn("allowed", market.mizan("buyer", "run", "-y", *TRAINING, "--", "true").stderr)
        lease = market.lease_of("buyer")
        self.assertEqual(lease["verdict"]["verdict"], "ALLOW")
        told = market.mizan("buyer", "--json", "policy", "explain", lease["lease"]).stdout
        self.assertEqual(told, market.mizan("buyer", "--json", "policy", "explain",
                                            lease["lease"][:12]).stdout)
        verdict = json.loads(told)
        self.assertEqual([finding["outcome"] for finding in verdict["answer"]["findings"]],
                         ["ALLOW"] * 5)
        # A party sees its own facts alone.
        self.assertEqual({party["role"] for party in verdict["case"]["parties"]},
                         {"buyer", "end_user"})
        self.assertEqual({party["role"] for party in json.loads(market.mizan(
            "provider", "--json", "policy", "explain", lease["lease"]).stdout)["case"]["parties"]},
            {"provider"})
        arabic = market.mizan("operator", "policy", "explain", lease["lease"], "--lang", "ar").stdout
        self.assertRegex(arabic, "[\u0600-\u06ff]")
        self.assertNotIn("\x1b", arabic)

    def test_2_held_and_approved(self):
        market = self.market
        market.add("lab", parent_hq=None)
        error = market.refused("lab", "run", "-y", *INFERENCE, "--", "true")
        self.assertEqual(error["code"], "policy_held")
        self.assertIn("parent_hq", error["message"])
        self.assertIn("--hold", error["message"])
        self.assertEqual(market.queue(), [])

        client, lease = self.held("lab", *INFERENCE, name="approved")
        self.assertEqual(lease["verdict"]["verdict"], "INSUFFICIENT")
        # A day to decide in, and the order itself lives as long.
        self.assertGreater(lease["heldUntilMs"], (time.time() + 23 * 3600) * 1000)
        self.assertEqual(market.lease_of("lab")["state"], "held")
        self.assertIn("waits for an officer", market.mizan("lab", "ps").stdout)
        self.assertIn("INSUFFICIENT", market.mizan("operator", "policy", "queue").stdout)
        told = market.json("operator", "policy", "explain", lease["lease"][:10])
        self.assertEqual(told["review"], None)
        self.assertTrue(any("parent_hq" in "".join(finding["missing"])
                            for finding in told["answer"]["findings"]), told)
        for who in ("lab", "buyer"):
            self.assertEqual(market.refused(who, "policy", "approve", lease["lease"], "--reason",
                                            "mine")["code"], "forbidden")
            self.assertEqual(market.refused(who, "policy", "queue")["code"], "forbidden")
        # Terms that start in another second have another id.
        wait_until(lambda: time.time() > lease["terms"]["start"] + 1, "another second")
        word = ("policy", "approve", lease["lease"][:10], "--reason", "seen the register of members")
        another = market.refused("operator", *word, "--verdict", "0x00000000")
        self.assertEqual(another["code"], "conflict")
        said = market.mizan("operator", *word, "--verdict", told["hash"][:12]).stdout
        self.assertIn(told["hash"], said)
        self.assertIn("approved", said)
        self.assertEqual(client.wait(), 0, client.said())
        self.assertEqual(client.lines(), ["let through"])
        done = market.lease_of("lab")
        self.assertNotEqual(done["lease"], lease["lease"])
        self.assertEqual((done["state"], done["reason"]), ("settled", "completed"))
        decisions = market.json("operator", "policy", "explain", done["lease"])["decisions"]
        self.assertEqual([(one["approve"], one["reason"]) for one in decisions],
                         [(True, "seen the register of members")])

    def test_3_held_and_rejected(self):
        market = self.market
        before = market.account("lab")
        client, lease = self.held("lab", *INFERENCE, name="rejected")
        self.assertGreater(market.account("lab")["escrowed"], 0)
        market.mizan("operator", "policy", "reject", lease["lease"], "--reason", "no answer")
        self.assertNotEqual(client.wait(), 0)
        self.assertEqual(client.lines(), [])
        self.assertIn("an officer rejected the deal", client.said())
        self.assertEqual(market.account("lab"), before)
        self.assertEqual(market.queue(), [])
        error = market.refused("operator", "policy", "approve", lease["lease"], "--reason", "late")
        self.assertEqual(error["code"], "conflict")

    def test_3a_held_and_given_up(self):
        market = self.market
        before = market.account("lab")
        client, lease = self.held("lab", *INFERENCE, name="given-up")
        client.process.send_signal(signal.SIGINT)
        self.assertEqual(client.wait(), 130)
        self.assertIn("waits for an officer", client.said().splitlines()[-2])
        self.assertIn("no officer is asked", market.mizan("lab", "stop", lease["lease"][:12]).stdout)
        self.assertEqual(market.queue(), [])
        self.assertEqual({**market.account("lab")}, before)

    def test_3b_a_plan_tells_what_policy_would_do(self):
        market = self.market
        self.assertRegex(market.mizan("buyer", "plan", *TRAINING, "--", "true").stdout,
                         r"(?m)^policy\s+allowed$")
        plan = market.json("lab", "plan", *INFERENCE, "--", "true")
        self.assertEqual(plan["offers"][0]["disposition"], "hold")
        self.assertIn("parent_hq", plan["offers"][0]["note"])
        # Without a key that is open, nobody is asked for a passphrase.
        self.assertIn("unlock your key", market.run(
            [market.command("buyer")[0], "--home", market.home("buyer"), "--exchange", market.url,
             "plan", "--", "true"]).stdout)

    def test_4_refused(self):
        market = self.market
        market.add("trader", country="CU", hq="CU", parent_hq="CU")
        error = market.refused("trader", "run", "-y", *INFERENCE, "--", "true")
        self.assertEqual(error["code"], "no_match")
        reasons = {reason["dimension"]: reason["nearest"] for reason in error["details"]["reasons"]}
        self.assertIn("us.sanctions.embargo", reasons["policy"])
        self.assertEqual(market.account("trader")["escrowed"], 0)
        # Nobody gets round it by waiting for an officer.
        self.assertEqual(market.refused("trader", "run", "-y", "--hold", *INFERENCE, "--",
                                        "true")["code"], "no_match")

    def test_5_two_signers(self):
        market = self.market
        market.make_party("officer")
        market.mizan("operator", "policy", "set", "--officer", market.addresses["officer"],
                     "--signers", "2")
        client, lease = self.held("lab", *INFERENCE, name="two")
        word = ("policy", "approve", lease["lease"], "--reason", "one of two")
        self.assertIn("another officer", market.mizan("operator", *word).stdout)
        self.assertNotEqual(market.mizan("operator", *word, check=False).returncode, 0)
        self.assertEqual([row["decisions"][0]["reason"] for row in market.queue()], ["one of two"])
        market.mizan("officer", *word)
        self.assertEqual(client.wait(), 0, client.said())
        market.mizan("operator", "policy", "set", "--signers", "1", "--no-officer",
                     market.addresses["officer"])
        self.assertEqual(market.refused("officer", "policy", "queue")["code"], "forbidden")

    def test_6_new_rules_tell_the_lease_that_would_not_pass(self):
        market = self.market
        own = market.folder / "own-rules"
        own.mkdir()
        (own / "broken.json").write_text(json.dumps(NO_TRAINING).replace('"is"', '"iz"'))
        done = market.mizan("operator", "policy", "set", "--rules", RULES, own, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("broken.json", done.stderr)
        (own / "broken.json").unlink()
        (own / "own.json").write_text(json.dumps(NO_TRAINING))
        self.assertEqual(market.refused("buyer", "policy", "set", "--rules", own)["code"],
                         "forbidden")

        job = counting_job(market, "long", lines=600, code=0,
                           extra="declaration: {end_use: commercial, training: true, end_user: self}\n")
        client = market.start_run(job)
        wait_until(lambda: len(client.lines()) >= 2, "two lines")
        self.assertEqual(market.json("operator", "policy", "review")["leases"], [])
        before = market.get("/v1/policy")[1]["ruleSet"]
        said = market.mizan("operator", "policy", "set", "--rules", RULES, own).stdout
        self.assertIn("1 live lease(s) would not pass", said)
        now = market.get("/v1/policy")[1]
        self.assertNotEqual(now["ruleSet"], before)
        self.assertEqual(now["issuers"], ["urn:mizan:development"])
        rows = market.json("operator", "policy", "review")["leases"]
        self.assertEqual([row["review"]["verdict"] for row in rows], ["PROHIBITED"])
        self.assertIn("op.no_training", rows[0]["review"]["note"])
        self.assertEqual(rows[0]["lease"]["verdict"]["verdict"], "ALLOW")
        self.assertIn("op.no_training", market.mizan("operator", "policy", "review").stdout)
        # It keeps its verdict and runs on; new deals go by the new rules.
        seen = len(client.lines())
        wait_until(lambda: len(client.lines()) > seen, "more lines")
        self.assertEqual(market.refused("buyer", "run", "-y", *TRAINING, "--", "true")["code"],
                         "no_match")
        market.mizan("buyer", "stop", "long")
        self.assertNotEqual(client.wait(), 0)
        market.mizan("operator", "policy", "set", "--rules", RULES)
        self.assertEqual(market.get("/v1/policy")[1]["ruleSet"], before)
        self.assertIn("would pass", market.mizan("operator", "policy", "review").stdout)

    def test_7_listed_in_mid_lease(self):
        market = self.market
        market.add("shipper")
        job = counting_job(market, "doomed", lines=3000, extra=(
            "declaration: {end_use: commercial, training: false, end_user: self}\n"
            "checkpoint: {path: /checkpoints, signal: USR1}\noutputs: [/checkpoints]\n"))
        text = job.read_text().replace("i=0\n", "trap 'echo saved > /checkpoints/last; exit 0' USR1\n"
                                                "  i=0\n", 1)
        job.write_text(text)
        client = market.start_run(job, "--outputs", "listed-out", party="shipper", name="doomed")
        wait_until(lambda: len(client.lines()) >= 2, "two lines")
        market.mizan("operator", "policy", "list-party", "--account", market.addresses["shipper"],
                     "--list", "SDN", "--effect", "block")
        client.wait()
        lease = market.lease_of("shipper")
        self.assertEqual((lease["state"], lease["reason"]), ("settled", "listed"), client.said())
        # The checkpoint is kept, but nothing is relayed for a listed party.
        self.assertEqual(list((market.folder / "listed-out").rglob("last")), [])
        for words in (("get", "doomed", "--to", "late"), ("logs", "doomed")):
            self.assertEqual(market.refused("shipper", *words)["code"], "policy_blocked", words)
        for words in (("run", "-y", *INFERENCE, "--", "true"),
                      ("run", "-y", "--hold", *INFERENCE, "--", "true")):
            error = market.refused("shipper", *words)
            self.assertIn(error["code"], ("policy_blocked", "no_match"), error)
        balance = market.account("shipper")
        self.assertEqual(balance["escrowed"], 0)
        market.mizan("operator", "policy", "list-party", "--account", market.addresses["shipper"],
                     "--list", "SDN", "--effect", "block", "--off")
        market.mizan("shipper", "get", "doomed", "--to", "late")
        self.assertEqual([path.read_text() for path in (market.folder / "late").rglob("last")],
                         ["saved\n"])
        self.assertEqual(market.mizan("shipper", "run", "-y", *INFERENCE, "--", "true").returncode, 0)

    def test_7a_stricter_never_milder(self):
        market = self.market
        market.mizan("operator", "policy", "set", "--stricter", "ALLOW=RED_FLAG", "--pending")
        now = market.get("/v1/policy")[1]
        self.assertEqual((now["stricter"], now["pending"]), ({"ALLOW": "RED_FLAG"}, True))
        self.assertEqual(market.refused("buyer", "run", "-y", *INFERENCE, "--", "true")["code"],
                         "policy_held")
        error = market.refused("operator", "policy", "set", "--stricter", "RED_FLAG=ALLOW")
        self.assertIn("stricter", error["details"]["field"])
        market.mizan("operator", "policy", "set", "--stricter", "ALLOW=", "--no-pending")
        now = market.get("/v1/policy")[1]
        self.assertEqual((now["stricter"], now["pending"], now["signersNeeded"]), ({}, False, 1))

    def test_8_licence_and_bad_words(self):
        market = self.market
        market.mizan("operator", "policy", "licence", "D1234567", "--units", 8, "--expires",
                     "2031-06-30", "--chip", "H100 SXM", "--destination", "AE")
        for words, field in ((("policy", "licence", "D1", "--units", 8, "--expires", "soon"),
                              "--expires"),
                             (("policy", "list-party", "--list", "EL"), "--account"),
                             (("policy", "list-party", "--list", "EL", "--person", "0x12"),
                              "--person"),
                             (("policy", "list-party", "--list", "EL", "--account", "me"),
                              "--account"),
                             (("policy", "licence", "D1", "--units", 8, "--expires", "2031-06-30",
                               "--party", "me"), "--party"),
                             (("policy", "set", "--officer", "me"), "--officer"),
                             (("policy", "set", "--issuer", "https://x"), "--issuer"),
                             (("run", "-y", "--declare", "training=maybe", "--", "true"),
                              "declaration.training"),
                             (("run", "-y", "--declare", "purpose=x", "--", "true"),
                              "declaration.purpose")):
            with self.subTest(words=words):
                done = market.mizan("operator", *words, check=False)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(field, done.stderr)
        self.assertIn("give the whole id",
                      market.refused("operator", "policy", "explain", "0x12345678")["message"])
        self.assertIn("missing", market.mizan("officer", "join", market.url).stdout)

    def test_9_made_again_from_the_journal(self):
        market = self.market
        leases = [job["lease"]["lease"] for party in ("buyer", "lab", "shipper")
                  for job in market.json(party, "ps", "--all")["jobs"] if job["lease"]]
        told = {lease: market.mizan("operator", "--json", "policy", "explain", lease).stdout.strip()
                for lease in leases}
        receipts = {json.loads(path.read_text())["receipt"]["lease"]: path
                    for path in market.folder.glob("*/jobs/*/receipt.json")}
        self.assertGreaterEqual(len(leases), 6)
        self.assertGreaterEqual(len(receipts), 4)
        market.check_replay(self)
        for lease in leases:
            with self.subTest(lease=lease, told=told[lease]):
                words = ["policy", "replay", lease, "--journal", market.exchange_state]
                if lease in receipts:
                    words += ["--receipt", receipts[lease]]
                done = market.mizan("operator", "--json", *words)
                again = json.loads(done.stdout)
                self.assertTrue(again["same"])
                self.assertEqual(again["signed"], True if lease in receipts else None)
                # The explanation has the same bytes as the exchange's own.
                self.assertIn('"explained":' + told[lease], done.stdout)
        # Of another lease's receipt it says so.
        lease, other = list(receipts)[:2]
        done = market.mizan("operator", "policy", "replay", lease, "--journal",
                            market.exchange_state, "--receipt", receipts[other], check=False)
        self.assertEqual(done.returncode, 2)
        own = market.folder / "own-rules"
        found = market.json("operator", "policy", "diff", RULES, RULES, "--journal",
                            market.exchange_state)
        self.assertEqual((found["chips"], found["flips"]), ([], []))
        self.assertGreaterEqual(found["cases"], len(leases))
        both = market.folder / "both"
        both.mkdir()
        for path in [*RULES.glob("*.json"), *own.glob("*.json")]:
            (both / path.name).write_bytes(path.read_bytes())
        flips = market.json("operator", "policy", "diff", RULES, both, "--journal",
                            market.exchange_state)["flips"]
        self.assertTrue(flips)
        self.assertEqual({(flip["after"], flip["rule"]) for flip in flips},
                         {("PROHIBITED", "op.no_training")})
        table = market.mizan("operator", "policy", "diff", RULES, RULES, "--day1", "2022-11-01",
                             "--day2", "2023-12-01").stdout
        self.assertRegex(table, re.compile(r"^A800 80GB SXM\t", re.M))


if __name__ == "__main__":
    main()
