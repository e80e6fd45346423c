"""`mizan demo`: the figures of its summary fit each other, and Ctrl-C leaves nothing behind."""
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

from harness import BINARY, REPOSITORY, main, wait_until
from policy_market import spellings


def runtime_mounts():
    return {line.split()[1] for line in pathlib.Path("/proc/mounts").read_text().splitlines()
            if line.split()[1].startswith("/run/mizan")}


class Demo(unittest.TestCase):
    def test_summary(self):
        with tempfile.TemporaryDirectory(prefix="mizan-e2e-") as folder:
            summary = pathlib.Path(folder) / "summary.json"
            keep = pathlib.Path(folder) / "kept"
            done = subprocess.run([BINARY, "demo", "--summary", summary, "--keep", keep],
                                  cwd=REPOSITORY, capture_output=True, text=True, check=False,
                                  timeout=600, stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertNotIn("\x1b", done.stdout)
            found = json.loads(summary.read_text())
            self.assertEqual(found["steps"], 400)
            self.assertGreater(found["first_loss"], 4)
            self.assertLess(found["last_loss"], 1.8)
            self.assertRegex(found["model_sha256_buyer"], "^[0-9a-f]{64}$")
            self.assertEqual(found["model_sha256_buyer"], found["model_sha256_provider"])
            self.assertEqual(found["charged_nano"],
                             found["rate_nano"] * found["units"] * found["seconds_billed"])
            self.assertEqual(found["escrow_nano"], found["charged_nano"] + found["refunded_nano"])
            self.assertEqual(found["charged_nano"], found["earned_nano"] + found["fee_nano"])
            self.assertGreater(found["seconds_billed"], 0)
            self.assertGreater(found["submit_to_first_output_ms"], 0)
            self.assertTrue(found["conserved"] and found["replay_hash_equal"])
            self.assertTrue(re.search(r"^In the beginning ", done.stdout, re.M), done.stdout)
            self.assertTrue((keep / "buyer" / "model" / "model.pt").is_file())
            self.check_verdicts(found["verdicts"], done.stdout, keep)

    def check_verdicts(self, verdicts, shown, keep):
        self.assertEqual([(one["deal"], one["verdict"]) for one in verdicts],
                         [("allowed", "ALLOW"), ("held", "INSUFFICIENT"), ("refused", "PROHIBITED")])
        self.assertIn("parent_hq", verdicts[1]["because"])
        self.assertIn("us.sanctions.embargo", verdicts[2]["because"])
        for one in verdicts:
            self.assertIn(one["because"], shown)
            self.assertIn(one["decision"], shown)
            if one["lease"]:
                again = subprocess.run([BINARY, "--json", "policy", "replay", one["lease"],
                                        "--journal", keep / "exchange"], capture_output=True,
                                       text=True, check=True)
                self.assertTrue(json.loads(again.stdout)["same"])
        # The issuer knows its parties' names; nobody else does.
        kept = [path for path in keep.rglob("*") if path.is_file() and path.name != "credential"]
        self.assertGreater(len(kept), 20)
        for name in ("Amina Rahman", "Tan Wei Ling", "Farid Mansour", "Luis Ortega"):
            self.assertNotIn(name, shown)
            forms = list(spellings(name))
            for path in kept:
                data = path.read_bytes()
                self.assertFalse([form for form in forms if form in data], path)

    def test_interrupted(self):
        before = runtime_mounts()
        with tempfile.TemporaryDirectory(prefix="mizan-e2e-") as folder:
            out = pathlib.Path(folder) / "out"
            # What the shell names for other commands is nothing to the demo's own parties.
            own = {"MIZAN_KEY": "nobody", "MIZAN_EXCHANGE": "http://127.0.0.1:1",
                   "MIZAN_PASSPHRASE_FILE": "/nowhere", "MIZAN_HOME": f"{folder}/none"}
            with open(out, "wb") as file:
                process = subprocess.Popen([BINARY, "demo", "--keep", f"{folder}/kept"],
                                           cwd=REPOSITORY, stdout=file, stderr=subprocess.STDOUT,
                                           stdin=subprocess.DEVNULL, env=os.environ | own)
            wait_until(lambda: "step=1/400" in out.read_text(), "training has begun")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(60), 1, out.read_text())
            self.assertIn("the job is stopped", out.read_text())
            self.assertEqual(runtime_mounts() - before, set())


if __name__ == "__main__":
    main()
