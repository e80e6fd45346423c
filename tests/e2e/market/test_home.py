"""The buyer's home: keys, unlocking, joining, watching, the prompt, scripts with #SBATCH headers.

Its exchange, provider and buyers talk TLS with each other.
"""
import json
import pathlib
import signal
import subprocess
import unittest

from harness import BINARY, Market, main, wait_until


class Home(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.market = Market(tls=True).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.market.__exit__(None, None, None)

    def without_passphrase(self, *words, check=True):
        market = self.market
        return market.run([str(BINARY), "--home", str(market.home("buyer")), *words], check=check)

    def test_unlock_and_lock(self):
        done = self.without_passphrase("account", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("mizan key unlock", done.stderr)
        self.market.mizan("buyer", "key", "unlock", "--for", "10m")
        self.assertIn("balance", self.without_passphrase("account").stdout)
        self.assertEqual(self.without_passphrase("run", "-y", "--", "echo", "hi").stdout, "hi\n")
        address = self.market.addresses["buyer"][2:].lower()
        kept = [path for folder in ("/run/user", "/dev/shm")
                for path in pathlib.Path(folder).rglob(f"{address}.json")]
        self.assertEqual([oct(path.stat().st_mode & 0o777) for path in kept], ["0o600"])
        self.assertEqual(kept[0].parent.stat().st_mode & 0o777, 0o700)
        self.without_passphrase("key", "lock")
        self.assertEqual(self.without_passphrase("account", check=False).returncode, 1)
        self.assertFalse(kept[0].exists())

    def test_unlocked_key_expires(self):
        self.market.mizan("buyer", "key", "unlock", "--for", "1s")
        wait_until(lambda: self.without_passphrase("account", check=False).returncode == 1,
                   "the key is locked again")
        for lifetime in ("0s", "8d", "soon"):
            done = self.market.mizan("buyer", "key", "unlock", "--for", lifetime, check=False)
            self.assertEqual(done.returncode, 2, done)

    def test_keys_come_and_go(self):
        market = self.market
        self.assertEqual(market.mizan("buyer", "key", "new", check=False).returncode, 1)
        exported = market.folder / "backup.json"
        market.mizan("buyer", "key", "export", "--out", exported)
        imported = json.loads(market.mizan("buyer", "--json", "key", "import", "copy",
                                           exported).stdout)
        self.assertEqual(imported["address"], market.addresses["buyer"])
        done = market.mizan("buyer", "key", "import", "../evil", exported, check=False)
        self.assertEqual(done.returncode, 2)
        (market.home("buyer") / "keys" / "copy.json").unlink()
        exported.chmod(0o644)
        done = market.mizan("buyer", "key", "import", "open", exported, check=False)
        self.assertIn("chmod 600", done.stderr)
        wrong = market.folder / "wrong"
        wrong.touch(mode=0o600)
        wrong.write_text("not it\n")
        done = market.run([str(BINARY), "--home", str(market.home("buyer")), "--passphrase-file",
                           str(wrong), "account"], check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("passphrase", done.stderr)

    def test_join(self):
        market = self.market
        market.make_party("newcomer")
        missing = json.loads(market.mizan("newcomer", "--json", "join", market.url).stdout)
        self.assertFalse(missing["ready"])
        self.assertEqual([s["step"] for s in missing["steps"] if not s["done"]], ["balance"])
        self.assertIn("account grant " + market.addresses["newcomer"],
                      market.mizan("newcomer", "join", market.url).stdout)
        market.grant("newcomer", "1")
        self.assertTrue(market.json("newcomer", "join", market.url)["ready"])
        done = market.mizan("newcomer", "join", "http://127.0.0.1:1", check=False)
        self.assertEqual(done.returncode, 1)
        done = market.mizan("newcomer", "join", "ftp://x", check=False)
        self.assertEqual(done.returncode, 2)

    def test_another_exchange_at_the_same_place_is_refused(self):
        market = self.market
        config = market.home("buyer") / "config.json"
        settings = json.loads(config.read_text())
        other = "0x" + "22" * 32
        config.write_text(json.dumps(settings | {"exchangeId": other,
                                                 "domain": settings["domain"] | {"salt": other}}))
        try:
            done = market.mizan("buyer", "offers", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("is not the exchange that you joined", done.stderr)
        finally:
            config.write_text(json.dumps(settings))

    def test_nothing_leaves_in_clear(self):
        market = self.market
        port = market.port
        home = ["--home", str(market.folder / "elsewhere")]
        for url, words in ((f"https://127.0.0.1:{port}", "--ca"),
                           (f"http://127.0.0.1:{port}", ""),
                           ("http://192.0.2.1:80", "write https://192.0.2.1:80")):
            done = market.run([str(BINARY), *home, "join", url], check=False)
            self.assertNotEqual(done.returncode, 0, url)
            self.assertIn(words, done.stderr)
        state = market.folder / "open"
        command = [str(BINARY), "exchange", "--state-dir", str(state), "--rules", "none",
                   "--operator", market.addresses["operator"]]
        pem, key = market.ca.parent / "server.pem", market.ca.parent / "server.key"
        for more, words in ((["--listen", "0.0.0.0:0"], "needs TLS"),
                            (["--listen", "nowhere:0"], "is not an IP address"),
                            (["--listen", f"127.0.0.1:{port}"], "cannot listen"),
                            (["--tls-certificate", str(pem)], "tls.key: is missing"),
                            (["--tls-certificate", str(pem), "--tls-key", str(pem)],
                             "tls.key: ")):
            done = market.run(command + more, check=False)
            self.assertNotEqual(done.returncode, 0, more)
            self.assertIn(words, done.stderr)
            self.assertFalse(state.exists(), "a refused start leaves nothing behind")
        self.assertEqual(oct(key.stat().st_mode & 0o777), "0o600")
        done = market.run([str(BINARY), "certificate", "make", "--out", str(key.parent)],
                          check=False)
        self.assertIn("is there already", done.stderr)

    def test_prompt(self):
        market = self.market
        done = market.mizan("buyer", "run", "--", "true", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("-y", done.stderr)

    def test_watch(self):
        process = subprocess.Popen([*self.market.command("buyer"), "--json", "offers", "--watch"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first = json.loads(process.stdout.readline())
        self.assertEqual(len(first["offers"]), 1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0)

    def test_sbatch_script(self):
        folder = self.market.folder / "slurm"  # a script takes the folder it starts in along
        folder.mkdir()
        script = folder / "job.sh"
        script.write_text("#!/bin/bash\n#SBATCH --job-name=from-slurm\n#SBATCH --cpus-per-task=1\n"
                          "#SBATCH --mem=1G\n#SBATCH --time=00:01:00\necho slurm $MIZAN_JOB_NAME\n"
                          "exit 4\n")
        done = self.market.mizan("buyer", "run", "-y", script, check=False, cwd=folder)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("slurm", done.stdout)


if __name__ == "__main__":
    main()
