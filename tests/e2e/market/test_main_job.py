"""The main job, small: a priced plan, a funded lease, logs, outputs, money, a receipt; and the
commands round it."""
import hashlib
import json
import os
import pty
import re
import signal
import unittest

from harness import Market, counting_job, expected_lines, main, wait_until

TRAIN = """name: train
workdir: tree
resources: {cpus: 1, memory: 1, disk_size: 1}
envs: {EPOCHS: "3"}
setup: test -f data/input.txt
run: |
  mkdir -p /checkpoints out
  echo "epochs=$EPOCHS input=$(cat data/input.txt) rank=$NODE_RANK"
  for step in 1 2 3; do echo "step=$step/3 loss=$((4 - step)).5"; sleep 0.8; done
  echo trained | sha256sum | cut -c1-64 > out/model.txt
  echo saved > /checkpoints/last
  echo to-stderr >&2
max_duration: 2m
max_total_cost: 0.05
checkpoint: {path: /checkpoints, every: 1m, signal: USR1}
outputs: [out/model.txt, /checkpoints]
"""


class MainJob(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.market = Market().__enter__()
        tree = cls.market.folder / "tree" / "data"
        tree.mkdir(parents=True)
        (tree / "input.txt").write_text("forty-two")
        (cls.market.folder / "train.yaml").write_text(TRAIN)

    @classmethod
    def tearDownClass(cls):
        cls.market.__exit__(None, None, None)

    def test_1_plan_run_get_receipt(self):
        market = self.market
        plan = market.json("buyer", "plan", "train.yaml")
        self.assertEqual(plan["units"], 1)
        self.assertEqual(plan["offers"][0]["rate"], "100000")  # $0.36 an hour

        done = market.mizan("buyer", "run", "train.yaml", "-y", "--outputs", "back")
        self.assertIn("epochs=3 input=forty-two rank=0", done.stdout)
        self.assertEqual(re.findall(r"^step=\d/3", done.stdout, re.M),
                         ["step=1/3", "step=2/3", "step=3/3"])
        self.assertNotIn("to-stderr", done.stdout)
        self.assertIn("to-stderr", done.stderr)
        self.assertNotIn("\x1b", done.stdout + done.stderr)
        back = {str(path.relative_to(market.folder / "back")): path.read_text()
                for path in (market.folder / "back").rglob("*") if path.is_file()}
        model = hashlib.sha256(b"trained\n").hexdigest()  # a text that no order or log has
        self.assertIn(model + "\n", back.values())
        self.assertIn("saved\n", back.values())
        self.assertEqual(len(back), 2, back)

        kept = [path for path in market.exchange_state.rglob("*") if path.is_file()]
        self.assertTrue(any(path.parent.name == "artifacts" for path in kept), kept)
        for path in kept:
            self.assertNotIn(model.encode(), path.read_bytes(), path)

        lease = market.leases()[0]
        self.assertEqual((lease["state"], lease["reason"], lease["exitCode"]),
                         ("settled", "completed", 0))
        market.check_money(self)

        again = market.json("buyer", "get", "train", "--to", "again")
        self.assertEqual(again["entries"], len(list((market.folder / "again").rglob("*"))))
        self.assertEqual(market.mizan("buyer", "logs", "train").stdout, done.stdout)

        market.mizan("buyer", "receipt", "train", "--out", "receipt.json")
        verified = market.mizan("buyer", "receipt", "verify", "receipt.json")
        self.assertIn("The receipt is valid.", verified.stdout)

    def test_2_a_changed_receipt_is_found(self):
        receipt = json.loads((self.market.folder / "receipt.json").read_text())

        def altered(change):
            bundle = json.loads(json.dumps(receipt))
            change(bundle)
            (self.market.folder / "forged.json").write_text(json.dumps(bundle))
            done = self.market.mizan("buyer", "receipt", "verify", "forged.json", check=False)
            self.assertEqual(done.returncode, 1, done.stdout)
            return done.stdout

        def put(place, field, value):
            return lambda bundle: bundle[place].__setitem__(field, value)

        charged = int(receipt["receipt"]["charged"])
        for place, field, value in (
                ("receipt", "charged", str(charged + 1)), ("receipt", "refunded", "0"),
                ("receipt", "secondsBilled", 10**6), ("receipt", "reason", "oom"),
                ("terms", "rate", "1"), ("bid", "maxRate", "1"),
                ("voucher", "cumulative", str(charged + 1)),
                ("clearance", "validUntil", 1), ("close", "minPaid", str(charged))):
            with self.subTest(place=place, field=field):
                self.assertIn("WRONG", altered(put(place, field, value)))
        other = "0x" + "11" * 32
        done = self.market.mizan("buyer", "receipt", "verify", "receipt.json", "--exchange-id",
                                 other, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("you trust " + other, done.stdout)

    def test_3_command_exit_code_and_stderr(self):
        done = self.market.mizan("buyer", "run", "-y", "--", "sh", "-c",
                                 "echo one two; echo bad >&2; exit 3", check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(done.stdout, "one two\n")
        self.assertIn("bad\n", done.stderr)

    def test_4_detach_and_come_back(self):
        job = counting_job(self.market, "detached", lines=40)
        client = self.market.start_run(job)
        wait_until(lambda: len(client.lines()) >= 3, "three lines")
        client.process.send_signal(signal.SIGINT)
        self.assertEqual(client.wait(), 130)
        self.assertIn("mizan logs -f", client.said())
        states = [job["state"] for job in self.market.json("buyer", "ps")["jobs"]]
        self.assertEqual(states, ["running"])
        done = self.market.mizan("buyer", "logs", "-f", "detached", check=False)
        self.assertEqual(done.returncode, 7)
        self.assertEqual(done.stdout.splitlines(), expected_lines(40))

    def test_5_stop(self):
        job = counting_job(self.market, "stopped", lines=1000)
        client = self.market.start_run(job)
        wait_until(lambda: len(client.lines()) >= 3, "three lines")
        self.market.mizan("buyer", "stop", "stopped")
        self.assertNotEqual(client.wait(), 0)
        lease = self.market.leases()[0]
        self.assertEqual(lease["reason"], "buyer_stopped")
        again = self.market.mizan("buyer", "stop", "stopped", check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("over already", again.stderr)

    def test_6_time_up(self):
        job = counting_job(self.market, "long", lines=1000)
        job.write_text(job.read_text().replace("5m", "3s"))
        client = self.market.start_run(job)
        self.assertNotEqual(client.wait(), 0)
        lease = self.market.leases()[0]
        self.assertEqual(lease["reason"], "time_up")
        self.assertLessEqual(lease["secondsBilled"], 3)

    def test_7_json_and_terminal(self):
        market = self.market
        for words in (("offers",), ("ps",), ("ps", "--all"), ("account",), ("key", "list"),
                      ("plan", "train.yaml"), ("receipt", "train")):
            with self.subTest(words=words):
                market.json("buyer", *words)
                plain = market.mizan("buyer", *words)
                self.assertNotIn("\x1b", plain.stdout + plain.stderr)
                self.assertGreater(len(plain.stdout), 0)
        self.assertIn("\x1b[1m", self.on_terminal("offers"))
        self.assertNotIn("\x1b[", self.on_terminal("--no-color", "offers"))
        result = market.json("buyer", "run", "-y", "--", "true")
        self.assertEqual(result["result"]["exitCode"], 0)

    def on_terminal(self, *words):
        """What a command prints when a terminal looks at it."""
        child, terminal = pty.fork()
        if child == 0:
            os.environ["TERM"] = "xterm-256color"
            os.execv(self.market.command("buyer")[0], [*self.market.command("buyer"), *words])
        text = b""
        while True:
            try:
                piece = os.read(terminal, 4096)
            except OSError:
                break
            if not piece:
                break
            text += piece
        os.waitpid(child, 0)
        os.close(terminal)
        return text.decode(errors="replace")

    def test_8_offers_query(self):
        market = self.market
        self.assertEqual(len(market.json("buyer", "offers", "rate<=0.36 cores>=1")["offers"]), 1)
        self.assertEqual(market.json("buyer", "offers", "rate<0.36")["offers"], [])
        done = market.mizan("buyer", "offers", "coers>=1", check=False)
        self.assertIn('did you mean cores?', done.stderr)

    def test_8_pay_is_shared(self):
        """The provider names another account for a quarter; lease and receipt show the split."""
        market = self.market
        investor, provider = market.addresses["operator"], market.addresses["provider"]
        market.agent.terminate()
        config = market.folder / "provider.yaml"
        config.write_text(config.read_text() + "payees:\n" +
                          f"- {{to: {investor}, share: 25%, role: investor}}\n" +
                          f"- {{to: {provider}, share: 75%}}\n")
        market.agent.start()
        wait_until(lambda: any("payees" in offer["attributes"]
                               for offer in market.get("/v1/offers")[1]["offers"]), "the new offer")
        market.mizan("buyer", "run", "-y", "--", "sleep", "2")
        lease = market.leases()[0]
        paid = int(lease["paid"])
        self.assertGreater(paid, 0)
        self.assertEqual(lease["payees"], [
            {"to": investor, "bps": 2500, "paid": str(paid // 4)},
            {"to": provider, "bps": 7500, "paid": str(paid - paid // 4)}])
        market.mizan("buyer", "receipt", lease["lease"], "--out", "shared.json")
        verified = market.mizan("buyer", "receipt", "verify", "shared.json")
        self.assertIn(f"{paid // 4} of paid goes to {investor}", verified.stdout)

    def test_9_money_and_replay(self):
        self.market.check_money(self)
        self.market.check_replay(self)


if __name__ == "__main__":
    main()
