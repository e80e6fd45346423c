"""No key and no passphrase in a log, the journal, a core dump, a command line, an environment or,
once it was used, in the memory of a program that runs on.

An exchange, a provider and a buyer with known keys run a job over TLS; their memory is searched,
and they are killed so that a program that allows it leaves a core dump; then everything that they
left is searched. As a user without rights no program can look into another's memory.
"""
import base64
import hashlib
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import tempfile
import unittest

from harness import BINARY, Market, main, wait_until

JOB = "env; tr '\\0' '\\n' < /proc/self/environ; echo started; sleep 600"


def forms(secret):
    """The spellings of 32 secret bytes (or of any text)."""
    if isinstance(secret, str):
        return {secret.encode()}
    text = secret.hex()
    return {secret, text.encode(), text.upper().encode(), base64.b64encode(secret).rstrip(b"=")}


def memory(pid):
    """All that a process can write to: its heaps, stacks and data."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, mode = line.split()[:2]
            begin, end = (int(place, 16) for place in span.split("-"))
            if not mode.startswith("rw"):
                continue
            mem.seek(begin)
            try:
                while begin < end and (piece := mem.read(end - begin)):
                    begin += len(piece)
                    yield piece
            except OSError:
                pass


def open_keystore(path, passphrase):
    crypto = json.loads(path.read_text())["crypto"]
    n, r, p = (crypto["kdfparams"][k] for k in ("n", "r", "p"))
    derived = hashlib.scrypt(passphrase.encode(), salt=bytes.fromhex(crypto["kdfparams"]["salt"]),
                             n=n, r=r, p=p, dklen=32, maxmem=512 << 20)
    return subprocess.run(
        ["openssl", "enc", "-d", "-aes-128-ctr", "-K", derived[:16].hex(), "-iv",
         crypto["cipherparams"]["iv"]], input=bytes.fromhex(crypto["ciphertext"]),
        capture_output=True, check=True).stdout


# Run without rights, by the same user as what it starts and as root no more: what it can see of
# each. Their parent it is too, whom Yama would let trace.
LOOKER = """
import ctypes, json, os, pathlib, pty, subprocess, sys, time
folder, mizan, operator = sys.argv[1:]
os.chdir(folder)
exchange = [mizan, "exchange", "--listen", "127.0.0.1:0", "--state-dir", "state", "--operator",
            operator, "--rules", "none"]
terminal, end = pty.openpty()
def take_terminal():
    os.setsid()
    os.close(os.open(os.ttyname(end), os.O_RDWR))
programs = {
    "sleep": subprocess.Popen(["sleep", "100"]),
    "exchange": subprocess.Popen(exchange, stdout=subprocess.PIPE),
    "key": subprocess.Popen([mizan, "--home", "home", "key", "new"], preexec_fn=take_terminal)}
assert b"ready" in programs["exchange"].stdout.readline()
assert b"passphrase" in os.read(terminal, 100)
libc = ctypes.CDLL(None, use_errno=True)
def tried(action):
    try:
        action()
        return "done"
    except OSError as error:
        return error.strerror
def trace(pid):  # PTRACE_SEIZE
    if libc.ptrace(0x4206, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
found = {}
for name, program in programs.items():
    place = pathlib.Path("/proc", str(program.pid))
    found[name] = {
        "memory": tried(lambda: open(place / "mem", "rb").close()),
        "environment": tried(lambda: (place / "environ").read_bytes()),
        "files": tried(lambda: os.listdir(place / "fd")),
        "trace": tried(lambda: trace(program.pid)),
        "core": [line.split()[4] for line in (place / "limits").read_text().splitlines()
                 if line.startswith("Max core file size")][0]}
print(json.dumps(found))
for program in programs.values():
    program.kill()
"""


class Secrets(unittest.TestCase):
    def setUp(self):
        self.cores = pathlib.Path(tempfile.mkdtemp(prefix="mizan-cores-"))
        self.addCleanup(lambda: subprocess.run(["rm", "-rf", str(self.cores)], check=False))
        before, limit = os.getcwd(), resource.getrlimit(resource.RLIMIT_CORE)
        os.chdir(self.cores)
        self.addCleanup(os.chdir, before)
        resource.setrlimit(resource.RLIMIT_CORE, (limit[1], limit[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, limit)

    def collect(self, market):
        """Every secret that these programs hold, by name."""
        secrets = {}
        for party in ("operator", "provider", "buyer"):
            passphrase = (market.home(party) / "passphrase").read_text().strip()
            secrets[f"{party}'s passphrase"] = passphrase
            secrets[f"{party}'s key"] = open_keystore(
                market.home(party) / "keys" / "default.json", passphrase)
        keys = market.exchange_state / "keys"
        passphrase = (keys / "passphrase").read_text().strip()
        secrets["the exchange's passphrase"] = passphrase
        for name in ("identity", "meter", "clearance"):
            secrets[f"the exchange's {name} key"] = open_keystore(keys / f"{name}.json", passphrase)
        pem = (market.ca.parent / "server.key").read_text()
        body = "".join(line for line in pem.splitlines() if "-----" not in line)
        secrets["the TLS key"] = base64.b64decode(body)[36:68]  # PKCS8 of P-256: the scalar
        secrets["the TLS key's text"] = pem.splitlines()[1]
        unlocked = [path for folder in ("/run/user", "/dev/shm") for path in
                    pathlib.Path(folder).rglob(market.addresses["buyer"][2:].lower() + ".json")]
        self.assertEqual(len(unlocked), 1)
        secrets["the login key"] = bytes.fromhex(json.loads(unlocked[0].read_text())["loginKey"])
        self.addCleanup(unlocked[0].unlink, missing_ok=True)
        for name, secret in secrets.items():
            self.assertGreaterEqual(len(secret), 32, name)
        self.assertEqual(len(set(map(str, secrets.values()))), 13)
        return secrets

    def processes(self):
        """Command lines and environments of everything that runs here."""
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            for part in ("cmdline", "environ"):
                try:
                    yield f"{entry}/{part}", (entry / part).read_bytes()
                except OSError:
                    pass

    def files(self, market):
        allowed = {market.home(p) / "passphrase" for p in ("operator", "provider", "buyer")}
        allowed |= {market.exchange_state / "keys" / "passphrase", market.ca.parent / "server.key"}
        for path in allowed:
            self.assertEqual(path.stat().st_mode & 0o777, 0o600, path)
        for path in market.folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and path not in allowed:
                yield str(path), path.read_bytes()

    def check_memory(self, market, client, secrets):
        """While they run: a key that is in use once as it is, a passphrase and texts of keys never."""
        programs = {"exchange": market.exchange.process, "provider": market.agent.process,
                    "client": client.process}
        parts = {name: list(memory(process.pid)) for name, process in programs.items()}
        self.assertTrue(any(secrets["the exchange's identity key"] in part
                            for part in parts["exchange"]))
        for secret, value in secrets.items():
            for form in forms(value) - {value}:
                for name, pieces in parts.items():
                    found = sum(piece.count(form) for piece in pieces)
                    self.assertEqual(found, 0, f"{secret} is in the {name}'s memory, {len(form)} bytes")

    def test_nobody_of_the_same_user_looks_in(self):
        nobody = 65534
        folder = self.cores / "nobody"
        folder.mkdir()
        mizan = folder / "mizan"  # where it was built, others may not enter
        shutil.copy(BINARY, mizan)
        for path in (folder, mizan):
            os.chown(path, nobody, nobody)
        self.cores.chmod(0o711)
        ran = subprocess.run(
            ["setpriv", "--reuid", str(nobody), "--regid", str(nobody), "--clear-groups",
             "/usr/bin/python3", "-c", LOOKER, str(folder), str(mizan), "0x" + "aa" * 20],
            capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        found = json.loads(ran.stdout)
        core = resource.getrlimit(resource.RLIMIT_CORE)[0]
        seen = dict.fromkeys(("memory", "environment", "files", "trace"), "done")
        self.assertEqual(found["sleep"],
                         {**seen, "core": "unlimited" if core < 0 else str(core)})
        for program in ("exchange", "key"):
            self.assertEqual(set(found[program].pop(key) for key in seen),
                             {"Permission denied", "Operation not permitted"}, program)
            self.assertEqual(found[program], {"core": "0"})

    def test_nothing_leaks(self):
        with Market(tls=True) as market:
            market.mizan("buyer", "key", "unlock", "--for", "10m")
            client = market.start_run("--", "sh", "-c", JOB)
            wait_until(lambda: "started" in client.lines(), "the job runs")
            secrets = self.collect(market)
            places = dict(self.processes())
            self.assertTrue(any(b"exchange.yaml" in text for text in places.values()))
            self.assertTrue(any(b"MIZAN_LEASE=" in text for text in places.values()))

            self.check_memory(market, client, secrets)

            control = subprocess.run(["sh", "-c", "kill -ABRT $$"], check=False)
            self.assertEqual(control.returncode, -signal.SIGABRT)
            dumps = list(self.cores.glob("core*"))
            if not dumps:
                print("no program leaves a core dump on this machine: not tried")
            for dump in dumps:
                dump.unlink()
            for process in (client.process, market.agent.process, market.exchange.process):
                process.send_signal(signal.SIGABRT)
                self.assertEqual(process.wait(30), -signal.SIGABRT)
            self.assertEqual(list(self.cores.iterdir()), [])
            self.assertEqual(list(market.folder.rglob("core*")), [])

            # The job is taken up again and ends; all of its papers are there.
            market.start_exchange()
            market.start_agent(wait=False)
            market.mizan("buyer", "stop", market.leases()[0]["lease"])
            wait_until(lambda: market.leases()[0]["state"] in ("settled", "failed"), "its end")
            market.mizan("buyer", "logs", market.leases()[0]["lease"], check=False)
            for program in (market.agent, market.exchange):
                program.terminate()
            places |= dict(self.files(market))
            self.assertTrue(any("/journal/" in name for name in places))
            self.assertIn(b"started", b"".join(v for k, v in places.items() if "/logs/" in k))
            for secret, value in secrets.items():
                for form in forms(value):
                    for name, text in places.items():
                        self.assertNotIn(form, text, f"{secret} is in {name}")


if __name__ == "__main__":
    main()
