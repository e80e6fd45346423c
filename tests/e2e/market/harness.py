"""The real programs on loopback: an exchange, a provider's agent and buyers, each killable.

Tests wait for conditions with a deadline, never for a time; random choices print their seed and
take it from MIZAN_SEED.
"""
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
BINARY = pathlib.Path(os.environ.get("MIZAN_BIN", REPOSITORY / "build" / "release" / "mizan"))
PATIENCE_S = 120

SEED = int(os.environ.get("MIZAN_SEED", random.SystemRandom().randrange(1 << 32)))


def seeded(name):
    print(f"{name}: MIZAN_SEED={SEED}", file=sys.stderr)
    return random.Random(f"{SEED}-{name}")


def wait_until(condition, what, patience_s=PATIENCE_S):
    """The first true value of `condition()`, asked again and again until the deadline."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {patience_s} s: {what}")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Failed(AssertionError):
    """A command that ended with another exit code than 0."""

    def __init__(self, done):
        super().__init__(f"{done.args} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        self.done = done


class Program:
    """A process with a log file that can be killed and started again."""

    def __init__(self, name, command, folder, environment=None):
        self.name, self.command, self.environment = name, command, environment or {}
        self.log = folder / f"{name}.log"
        self.process = None

    def start(self):
        assert not self.alive(), f"{self.name} runs already"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **self.environment}, start_new_session=True)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """SIGKILL to this process alone: what it started lives on."""
        if self.alive():
            self.process.kill()
            self.process.wait()

    def terminate(self):
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode if self.process else None

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Market:
    """One exchange, one provider (if wanted), an operator and a buyer, in one folder."""

    pays_fees = False  # to the operator's balance, as the contract does

    def __init__(self, *, provider=True, rate="0.36", grant="10", voucher_interval="1s",
                 exchange_environment=None, exchange_state=None, provider_config="",
                 exchange_config="", tls=False):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mizan-e2e-"))
        self.rate = rate
        self.port = free_port()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.ca = self.folder / "tls" / "ca.pem" if tls else None
        self.trust = None
        self.addresses = {}
        self.granted = 0
        for party in ("operator", "provider", "buyer"):
            self.make_party(party)
        if tls:
            self.run([str(BINARY), "certificate", "make", "--name", "localhost", "--ip",
                      "127.0.0.1", "--out", str(self.ca.parent)])
            self.trust = ssl.create_default_context(cafile=str(self.ca))
            exchange_config += "tls: {certificate: tls/server.pem, key: tls/server.key}\n"
            provider_config += f"ca: {self.ca}\n"
        self.exchange_state = exchange_state or self.folder / "exchange"
        exchange_config += self.prepare()
        (self.folder / "exchange.yaml").write_text(
            f"listen: 127.0.0.1:{self.port}\nstate_dir: {self.exchange_state}\n"
            f"operator: \"{self.addresses['operator']}\"\nfee_bps: 200\n"
            f"voucher_interval: {voucher_interval}\n{exchange_config}" +
            ("" if "rules:" in exchange_config else "rules: none\n"))
        (self.folder / "provider.yaml").write_text(
            f"exchange: {self.url}\nkey: {self.home('provider')}/keys/default.json\n"
            f"passphrase_file: {self.home('provider')}/passphrase\n"
            f"state_dir: {self.folder}/agent\nrate: {rate}\n{provider_config}")
        self.exchange = Program(
            "exchange", [str(BINARY), "exchange", "--config", str(self.folder / "exchange.yaml")],
            self.folder, exchange_environment)
        self.agent = Program(
            "provider", [str(BINARY), "provider", "--config", str(self.folder / "provider.yaml")],
            self.folder)
        try:
            self.start_exchange()
            self.mizan("buyer", "join", self.url, *(["--ca", self.ca] if tls else []))
            if grant:
                self.grant("buyer", grant)
            if provider:
                self.start_agent()
        except BaseException:
            self.close()
            raise

    def prepare(self):
        """What must be there before the exchange; more lines of its configuration."""
        return ""

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            for program in (self.exchange, self.agent):
                print(f"--- {program.name}\n{program.text()[-4000:]}", file=sys.stderr)
        self.close()

    def home(self, party):
        return self.folder / party

    def make_party(self, party):
        home = self.home(party)
        home.mkdir(mode=0o700)
        passphrase = home / "passphrase"
        passphrase.touch(mode=0o600)
        passphrase.write_text(os.urandom(32).hex() + "\n")
        made = json.loads(self.run([*self.command(party, exchange=False), "--json", "key", "new",
                                    "--light"]).stdout)
        self.addresses[party] = made["address"]

    def command(self, party, exchange=True):
        home = self.home(party)
        words = [str(BINARY), "--home", str(home), "--passphrase-file", str(home / "passphrase")]
        if exchange and self.ca and party != "buyer":  # who joined remembers it
            words += ["--ca", str(self.ca)]
        return words + (["--exchange", self.url] if exchange else [])

    def run(self, command, check=True, timeout=PATIENCE_S, **options):
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                              errors="replace",
                              **{"stdin": subprocess.DEVNULL, "cwd": self.folder, **options})
        if check and done.returncode != 0:
            raise Failed(done)
        return done

    def mizan(self, party, *args, check=True, **options):
        return self.run([*self.command(party), *map(str, args)], check, **options)

    def json(self, party, *args, check=True, **options):
        done = self.mizan(party, "--json", *args, check=check, **options)
        return json.loads(done.stdout)

    def start_run(self, *args, party="buyer", name=None):
        """`mizan run ... -y` in the background; its output goes to files."""
        return Client(self, [*self.command(party), "run", "-y", *map(str, args)], name)

    def grant(self, party, usd):
        self.mizan("operator", "account", "grant", self.addresses[party], usd)
        self.granted += round(float(usd) * 10**9)

    def get(self, target, data=None, headers=None, method=None):
        """A call without a signature: (status, JSON)."""
        request = urllib.request.Request(self.url + target, data=data, headers=headers or {},
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=30, context=self.trust) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def exchange_answers(self):
        try:
            return self.get("/v1/health")[0] == 200
        except OSError:
            return False

    def start_exchange(self):
        self.exchange.start()
        wait_until(lambda: self.exchange_answers() or not self.exchange.alive(), "an exchange")
        assert self.exchange.alive(), self.exchange.text()[-2000:]

    def start_agent(self, wait=True):
        self.agent.start()
        if wait:
            wait_until(lambda: self.get("/v1/offers")[1]["offers"] or not self.agent.alive(),
                       "an offer")
            assert self.agent.alive(), self.agent.text()[-2000:]

    def leases(self):
        return [job["lease"] for job in self.json("buyer", "ps", "--all")["jobs"] if job["lease"]]

    def account(self, party):
        account = self.json(party, "account")
        return {name: int(account[name]) for name in ("balance", "escrowed", "earned", "spent")}

    def check_money(self, case):
        """Every lease is over, its sums hold, and no nano-USD is missing."""
        fees = spent = 0
        earned = {self.addresses["provider"]: 0, self.addresses["operator"]: 0}
        for lease in self.leases():
            case.assertIn(lease["state"], ("settled", "failed"), lease)
            charged, fee = int(lease["charged"]), int(lease["fee"])
            case.assertEqual(charged, int(lease["rate"]) * lease["units"] * lease["secondsBilled"]
                             if lease["openedAtMs"] else 0, lease)
            case.assertEqual(charged, int(lease["paid"]) + fee, lease)
            if lease["openedAtMs"]:
                case.assertEqual(int(lease["escrow"]), charged + int(lease["refunded"]), lease)
            fees += fee
            spent += charged
            shares = {payee["to"]: int(payee["paid"]) for payee in lease["payees"]}
            shares = shares or {self.addresses["provider"]: int(lease["paid"])}
            case.assertEqual(sum(shares.values()), int(lease["paid"]), lease)
            for payee, paid in shares.items():
                earned[payee] += paid
        buyer, provider, operator = map(self.account, ("buyer", "provider", "operator"))
        case.assertEqual(buyer["escrowed"], 0)
        case.assertEqual(buyer["spent"], spent)
        case.assertEqual(provider["earned"], earned[self.addresses["provider"]])
        case.assertEqual(operator["earned"], earned[self.addresses["operator"]])
        case.assertEqual(buyer["balance"] + provider["balance"] + operator["balance"] +
                         (0 if self.pays_fees else fees),
                         self.granted)

    def check_replay(self, case):
        """Ends both programs; the journal's replay gives the state that the exchange ended with."""
        case.assertEqual(self.agent.terminate() or 0, 0, self.agent.text()[-2000:])
        case.assertEqual(self.exchange.terminate(), 0, self.exchange.text()[-2000:])
        found = self.json("operator", "journal", "verify", self.exchange_state)
        case.assertTrue(found["conserved"], found)
        case.assertEqual(found["liveStateHash"], found["stateHash"])
        case.assertTrue(found["snapshotAgrees"])

    def close(self):
        self.agent.terminate()
        self.exchange.terminate()
        self.clear_remains()
        shutil.rmtree(self.folder, ignore_errors=True)

    def clear_remains(self):
        """Jobs that a failed test left running, their mounts and loop devices."""
        named = {str(self.folder)}
        mounts = [line.split() for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
        for _, point, _, options, *_ in mounts:
            # A root made of layers in our folder: its runtime folder is /run/mizan/ID.
            if str(self.folder) in options and point.startswith("/run/mizan/"):
                named.add("/".join(point.split("/")[:4]))
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
                if int(entry.name) != os.getpid() and any(name in words for name in named):
                    os.kill(int(entry.name), signal.SIGKILL)
        for _, point, *_ in reversed(mounts):
            if any(point == name or point.startswith(name + "/") for name in named):
                subprocess.run(["umount", "-l", point], check=False, stderr=subprocess.DEVNULL)
        loops = subprocess.run(["losetup", "-a"], capture_output=True, text=True, check=False).stdout
        for line in loops.splitlines():
            if str(self.folder) in line:
                subprocess.run(["losetup", "-d", line.split(":")[0]], check=False,
                               stderr=subprocess.DEVNULL)


class Client:
    """A running `mizan run`."""

    count = 0

    def __init__(self, market, command, name=None):
        Client.count += 1
        self.name = name or f"run-{Client.count}"
        self.market, self.command = market, command
        self.start()

    def start(self):
        folder = self.market.folder
        self.out, self.err = folder / f"{self.name}.out", folder / f"{self.name}.err"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=err, cwd=folder)

    def lines(self):
        return self.out.read_text(errors="replace").splitlines()

    def said(self):
        return self.err.read_text(errors="replace")

    def wait(self, patience_s=PATIENCE_S):
        return self.process.wait(patience_s)


COUNT_SCRIPT = """i=0
while [ $i -lt {lines} ]; do
  i=$((i+1)); echo "line $i"; sleep {pause}
done
exit {code}"""


def counting_job(market, name, *, lines=30, pause=0.1, code=7, extra=""):
    """A job file whose log is lines 1 to `lines` and whose exit code is `code`."""
    script = COUNT_SCRIPT.format(lines=lines, pause=pause, code=code).replace("\n", "\n  ")
    path = market.folder / f"{name}.yaml"
    path.write_text(f"name: {name}\nresources: {{cpus: 1, memory: 1, disk_size: 1}}\n"
                    f"max_duration: 5m\nrun: |\n  {script}\n{extra}")
    return path


def expected_lines(count=30):
    return [f"line {i}" for i in range(1, count + 1)]


def main():
    unittest.main(verbosity=2)
