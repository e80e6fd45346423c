"""No key and no passphrase in a log, the journal, a core dump, a command line or an environment.

An exchange, a provider and a buyer with known keys run a job over TLS and are killed so that a
program that allows it leaves a core dump; then everything that they left is searched.
"""
import base64
import hashlib
import json
import os
import pathlib
import resource
import signal
import subprocess
import tempfile
import unittest

from harness import Market, main, wait_until

JOB = "env; tr '\\0' '\\n' < /proc/self/environ; echo started; sleep 600"


def forms(secret):
    """The spellings of 32 secret bytes (or of any text)."""
    if isinstance(secret, str):
        return {secret.encode()}
    text = secret.hex()
    return {secret, text.encode(), text.upper().encode(), base64.b64encode(secret).rstrip(b"=")}


def open_keystore(path, passphrase):
    crypto = json.loads(path.read_text())["crypto"]
    n, r, p = (crypto["kdfparams"][k] for k in ("n", "r", "p"))
    derived = hashlib.scrypt(passphrase.encode(), salt=bytes.fromhex(crypto["kdfparams"]["salt"]),
                             n=n, r=r, p=p, dklen=32, maxmem=512 << 20)
    return subprocess.run(
        ["openssl", "enc", "-d", "-aes-128-ctr", "-K", derived[:16].hex(), "-iv",
         crypto["cipherparams"]["iv"]], input=bytes.fromhex(crypto["ciphertext"]),
        capture_output=True, check=True).stdout


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

    def test_nothing_leaks(self):
        with Market(tls=True) as market:
            market.mizan("buyer", "key", "unlock", "--for", "10m")
            client = market.start_run("--", "sh", "-c", JOB)
            wait_until(lambda: "started" in client.lines(), "the job runs")
            secrets = self.collect(market)
            places = dict(self.processes())
            self.assertTrue(any(b"exchange.yaml" in text for text in places.values()))
            self.assertTrue(any(b"MIZAN_LEASE=" in text for text in places.values()))

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
