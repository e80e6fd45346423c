"""What bad input gets: an error that names the field, and nothing lost."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
from client import Client  # noqa: E402
from eip712 import Domain, Key  # noqa: E402

from harness import Market, counting_job, expected_lines, main, wait_until  # noqa: E402

JOB = {"name": "n", "run": "true"}


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.market = Market().__enter__()
        info = cls.market.get("/v1/exchange")[1]
        cls.domain = Domain(info["id"])
        cls.client = Client(cls.market.port, cls.domain)

    @classmethod
    def tearDownClass(cls):
        cls.market.__exit__(None, None, None)

    def refused(self, *words, code, says, exit_code):
        """The command fails with this code and a message that says each of `says`."""
        done = self.market.mizan("buyer", *words, check=False)
        self.assertEqual(done.returncode, exit_code, done)
        for text in says:
            self.assertIn(text, done.stderr)
        answer = json.loads(self.market.mizan("buyer", "--json", *words, check=False).stdout)
        self.assertEqual(answer["error"]["code"], code, answer)
        return answer["error"]

    def job_file(self, text):
        path = self.market.folder / "bad.yaml"
        path.write_text(text)
        return path

    def test_job_files(self):
        cases = [
            ("name: n\nrun: true\nresorces: {cpus: 1}\n", "unknown_field", ["resorces", "resources"]),
            ("name: n\nrun: true\nresources: {cpu: 1}\n", "unknown_field", ["cpu", "cpus"]),
            ("name: n\nrun: true\nresources: {cpus: many}\n", "invalid_argument", ["bad.yaml", "resources.cpus"]),
            ("name: n\nrun: true\nnetwork: egress\n", "unsupported_key", ["network"]),
            ("name: n\nrun: true\nfile_mounts: {/d: s3://b/d}\n", "unsupported_key", ["file_mounts"]),
            ("name: n\nrun: true\noutputs: [../secrets]\n", "invalid_argument", ["outputs"]),
            ("name: n\nrun: true\nmax_duration: soon\n", "invalid_argument", ["max_duration", "soon"]),
            ("name: n\nrun: true\nmax_total_cost: -1\n", "invalid_argument", ["max_total_cost"]),
            ("name: n\n", "invalid_argument", ["run"]),
            ("name: [n\n", "invalid_argument", ["bad.yaml"]),
            ("run: " + "x" * 300_000 + "\n", "too_large", ["bad.yaml"]),
        ]
        for text, code, says in cases:
            with self.subTest(text=text[:60]):
                error = self.refused("run", "-y", self.job_file(text), code=code, says=says,
                                     exit_code=2)
                self.assertNotIn("\x1b", error["message"])
        self.refused("run", "-y", "nowhere.yaml", code="not_found", says=["nowhere.yaml"],
                     exit_code=1)

    def test_command_line(self):
        for words, says in ((["offer"], "offers"), (["run"], "job file"), (["nonsense"], ""),
                            (["run", "-y", "--grace", "5", "x.yaml"], "grace")):
            with self.subTest(words=words):
                done = self.market.mizan("buyer", *words, check=False)
                self.assertEqual(done.returncode, 2, done)
                self.assertIn(says, done.stderr + done.stdout)

    def test_nothing_matches(self):
        error = self.refused(
            "run", "-y", self.job_file("name: n\nrun: true\nresources: {cpus: 4096}\n"),
            code="no_match", says=["leaves out 1 offer"], exit_code=1)
        self.assertTrue(error["details"]["reasons"], error)
        error = self.refused(
            "run", "-y", self.job_file("name: n\nrun: true\nresources: {max_hourly_cost: 0.0001}\n"),
            code="no_match", says=["price", "an hour a unit"], exit_code=1)

    def test_malformed_and_huge_json(self):
        for body, status, code in (
                (b"{", 400, "invalid_argument"), (b"[]", 400, "invalid_argument"),
                (b'{"bid": {}, "spec": {}, "signature": "0x"}', 400, "invalid_argument"),
                (b'{"bid": 1e400}', 400, "invalid_argument"),
                (b'{"a": 1, "a": 2}', 400, "invalid_argument"),
                (b"[" * 100_000, 413, "too_large"), (b"\xff\xfe", 400, "invalid_argument"),
                (b'{"x": "' + b"y" * (3 << 20) + b'"}', 413, "too_large")):
            with self.subTest(body=body[:40]):
                try:
                    got, answer = self.market.get("/v1/bids", data=body)
                except (ConnectionError, OSError) as error:
                    # It may hang up on a body that it has announced not to read.
                    self.assertEqual(status, 413, error)
                    continue
                self.assertEqual(got, status, answer)
                self.assertEqual(set(answer), {"code", "message", "details"})
                if code:
                    self.assertEqual(answer["code"], code)

    def test_signatures(self):
        mine, other = Key(), Key()
        target = f"/v1/accounts/{mine.address}"
        good = self.client.headers(mine, "GET", target)

        def ask(headers):
            return self.market.get(target, headers=headers)

        self.assertEqual(ask(good)[0], 200)
        self.assertEqual(ask(good)[1]["code"], "replayed")
        forged = self.client.headers(other, "GET", target) | {"Mizan-Account": mine.address}
        self.assertEqual(ask(forged)[1]["code"], "unauthenticated")
        self.assertEqual(ask({})[1]["code"], "unauthenticated")
        flipped = self.client.headers(mine, "GET", target)
        digit = flipped["Mizan-Signature"][20]
        flipped["Mizan-Signature"] = (flipped["Mizan-Signature"][:20] + ("0" if digit != "0" else "1")
                                      + flipped["Mizan-Signature"][21:])
        self.assertEqual(ask(flipped)[1]["code"], "unauthenticated")
        late = {"account": mine.address, "method": "GET", "target": target,
                "bodyHash": "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
                "idempotencyKey": "", "issuedAtMs": int(time.time() * 1000) - 120_000, "nonce": 7}
        self.assertEqual(ask({"Mizan-Account": mine.address,
                              "Mizan-Issued-At-Ms": str(late["issuedAtMs"]), "Mizan-Nonce": "7",
                              "Mizan-Signature": self.domain.sign(mine, "Request", late)})[1]["code"],
                         "expired")
        self.assertEqual(self.market.get(target, headers=self.client.headers(other, "GET", target))[1]
                         ["code"], "forbidden")
        # Not the operator: a grant to oneself.
        grant = {"to": mine.address, "amount": "1000", "nonce": 1, "deadline": int(time.time()) + 60}
        body = json.dumps({"grant": grant, "signature": self.domain.sign(mine, "Grant", grant)})
        status, answer = self.market.get("/v1/grants", data=body.encode(),
                                         headers={"Idempotency-Key": "k"})
        self.assertIn((status, answer["code"]), ((401, "unauthenticated"), (403, "forbidden")))

    def test_climbing_paths(self):
        tree = self.market.folder / "climbing"
        tree.mkdir()
        (tree / "out").symlink_to("../../etc")
        path = self.market.folder / "climbing.yaml"
        path.write_text("name: n\nworkdir: climbing\nrun: 'true'\n")
        self.refused("run", "-y", path, code="invalid_argument", says=["workdir", "out"], exit_code=2)

    def test_hostile_outputs(self):
        """Links, devices and set-id bits stay behind; what is honest comes back."""
        path = self.market.folder / "hostile.yaml"
        path.write_text(
            "name: hostile\nresources: {cpus: 1, memory: 1, disk_size: 1}\noutputs: [out]\nrun: |\n"
            "  mkdir out\n  ln -s /etc/passwd out/link\n  ln -s ../../../x out/up\n"
            "  mkfifo out/pipe\n  echo good > out/good\n  chmod 6755 out/good\n")
        self.market.mizan("buyer", "run", "-y", path, "--outputs", "hostile-out")
        back = self.market.folder / "hostile-out"
        found = [p for p in back.rglob("*") if not p.is_dir() or p.is_symlink()]
        self.assertEqual({p.name for p in found}, {"good", "mizan-refused.txt"})
        self.assertEqual(next(p for p in found if p.name == "good").stat().st_mode & 0o7000, 0)
        told = next(p for p in found if p.name == "mizan-refused.txt").read_text()
        for name in ("out/link", "out/up", "out/pipe"):
            self.assertIn(name, told)

    def test_greedy_jobs(self):
        """Too much memory, disk, log, processes: the reason is told and the market goes on."""
        cases = {
            "memory": ("python3 -c 'x = bytearray(3 << 30); print(len(x))'", ("oom",)),
            "disk": ("head -c 3000000000 /dev/zero > big", ("disk_full",)),
            "fork": (":(){ :|:& };:; wait; exit 9", None),
        }
        for name, (run, reasons) in cases.items():
            with self.subTest(name=name):
                path = self.market.folder / f"{name}.yaml"
                path.write_text(f"name: {name}\nresources: {{cpus: 1, memory: 1, disk_size: 1}}\n"
                                f"max_duration: 20s\nrun: |\n  {run}\n")
                done = self.market.mizan("buyer", "run", "-y", path, check=False)
                self.assertNotEqual(done.returncode, 0, done)
                lease = self.market.leases()[0]
                if reasons:
                    self.assertIn(lease["reason"], reasons, lease)
        done = self.market.mizan("buyer", "run", "-y", "--", "echo", "still here")
        self.assertEqual(done.stdout, "still here\n")
        self.market.check_money(self)

    def test_too_little_money(self):
        market = self.market
        market.make_party("pauper")
        market.mizan("pauper", "join", market.url)
        market.grant("pauper", "0.0001")
        error = json.loads(market.mizan("pauper", "--json", "run", "-y", "--", "true",
                                        check=False).stdout)["error"]
        self.assertEqual(error["code"], "insufficient_funds", error)
        self.assertEqual(market.account("pauper")["balance"], 100_000)
        self.assertEqual(market.json("pauper", "ps", "--all")["jobs"], [])
        market.granted -= 100_000  # not the buyer's: check_money counts its alone
        # With less asked for, the same money is enough.
        path = market.folder / "short.yaml"
        path.write_text("name: short\nmax_total_cost: 0.0001\nrun: 'true'\n")
        self.assertEqual(market.json("pauper", "plan", path)["maxTotal"], "100000")


class BrokenDisk(unittest.TestCase):
    def test_full_disk_under_the_journal(self):
        """Nothing is answered that is not durable; with room again, everything is there."""
        with Market(provider=False, grant=None, exchange_state=None) as market:
            market.exchange.terminate()
            small = market.folder / "small"
            small.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", small], check=True)
            try:
                shutil.copytree(market.exchange_state, small / "exchange")
                config = market.folder / "exchange.yaml"
                config.write_text(config.read_text().replace(str(market.exchange_state),
                                                             str(small / "exchange")))
                market.start_exchange()
                self.fill_and_recover(market, small)
            finally:
                market.exchange.terminate()
                subprocess.run(["umount", "-l", small], check=True)

    def fill_and_recover(self, market, small):
        market.grant("buyer", "1")
        filler = small / "filler"
        with open(filler, "wb") as file:
            try:
                while True:
                    file.write(bytes(65536))
                    file.flush()
            except OSError:
                pass
        answered, refused = 0, None
        while refused is None and answered < 20_000:
            done = market.mizan("operator", "account", "grant", market.addresses["buyer"], "0.001",
                                check=False)
            if done.returncode == 0:
                answered += 1
            else:
                refused = done.stderr
            self.assertIsNotNone(refused if answered > 2000 else "", "the disk never filled up")
        self.assertTrue(refused, "a grant was refused")
        filler.unlink()
        market.exchange.terminate()
        market.start_exchange()
        balance = market.account("buyer")["balance"]
        # The one that was refused may have become durable; none that was answered is missing.
        self.assertIn(balance, (10**9 + answered * 10**6, 10**9 + (answered + 1) * 10**6))

    def test_corrupted_journal(self):
        """A flipped byte in the middle is refused with its place, not opened as less."""
        with Market(provider=False) as market:
            for _ in range(5):
                market.grant("buyer", "1")
            market.exchange.kill()
            logs = sorted((market.exchange_state / "journal").rglob("*.log"))
            log = max(logs, key=lambda path: path.stat().st_size)
            whole = log.read_bytes()
            damaged = bytearray(whole)
            damaged[len(whole) // 2] ^= 0x40
            log.write_bytes(damaged)
            market.exchange.start()
            wait_until(lambda: not market.exchange.alive(), "a refusal to start")
            self.assertEqual(market.exchange.process.returncode, 1)
            self.assertIn("journal", market.exchange.text())
            log.write_bytes(whole)
            market.start_exchange()
            self.assertEqual(market.account("buyer")["balance"], 15 * 10**9)


class JumpingClock(unittest.TestCase):
    LIBRARY = next(iter(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)

    @unittest.skipUnless(LIBRARY, "needs Debian's faketime")
    def test_clock_jumps(self):
        """Ahead by an hour and back by two while a job runs: no lease is lost, nothing is billed
        that did not pass, time in the journal never goes back."""
        stamp = pathlib.Path(f"/tmp/mizan-faketime-{os.getpid()}")
        stamp.write_text("+0\n")
        environment = {"LD_PRELOAD": str(self.LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(stamp),
                       "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1",
                       "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        try:
            with Market(exchange_environment=environment) as market:
                job = counting_job(market, "steady", lines=80)
                client = market.start_run(job, "--grace", "60")
                wait_until(lambda: len(client.lines()) >= 5, "five lines")
                stamp.write_text("+3600\n")
                wait_until(lambda: len(client.lines()) >= 30, "thirty lines")
                stamp.write_text("-3600\n")
                self.assertEqual(client.wait(), 7, client.said())
                self.assertEqual(client.lines(), expected_lines(80))
                stamp.write_text("+0\n")
                market.exchange.terminate()
                market.start_exchange()
                lease = market.leases()[0]
                self.assertLess(lease["secondsBilled"], 60, lease)
                market.check_money(self)
        finally:
            stamp.unlink()


if __name__ == "__main__":
    main()
