#!/usr/bin/env python3
"""rules_test.py MIZAN: which rules an exchange begins with, and how it ends when they are not there."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

from client import Client, Exchange, Key
from eip712 import ROOT

MIZAN = sys.argv[1]
OWN = {"format": "mizan.policy.1", "rules": [{
    "rule": "own.limit", "head": "end_use", "jurisdiction": "US", "from": None, "until": None,
    "in_text": True, "enforced": True, "min_evidence": "self_declared", "unverified": False,
    "citation": "the operator's terms", "sentence": "A limit of the operator.",
    "when": {"fact": "units", "above": 1000}, "outcome": "RED_FLAG"}]}


def policy_of(state, *words):
    exchange = Exchange(MIZAN, state, OPERATOR, *words)
    try:
        return Client(exchange.port).get("/v1/policy").json
    finally:
        code = exchange.stop()
        assert code == 0, f"the exchange ended with {code}"


def refused(state, *words):
    done = subprocess.run([MIZAN, "--json", "exchange", "--state-dir", state, "--operator", OPERATOR,
                           "--listen", "127.0.0.1:0", *words], capture_output=True, text=True,
                          timeout=60)
    return done.returncode, json.loads(done.stdout)["error"]


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        shipped = policy_of(str(folder / "shipped"))
        assert not shipped["empty"] and shipped["rules"] > 20, shipped
        status = subprocess.run([MIZAN, "policy", "status", "--json"], check=True,
                                capture_output=True, text=True).stdout
        assert shipped["ruleSet"][2:] in status, "not the rules that came with the program"

        own = folder / "own"
        own.mkdir()
        (own / "own.json").write_text(json.dumps(OWN))
        both = policy_of(str(folder / "both"), "--rules", str(ROOT / "policy"), "--rules", str(own))
        assert both["rules"] == shipped["rules"] + 1
        none = policy_of(str(folder / "none"), "--rules", "none")
        assert none["empty"] and none["rules"] == 0

        # The journal's rules stay in force, whatever a later start is given.
        assert policy_of(str(folder / "both"), "--rules", "none") == both
        verified = subprocess.run([MIZAN, "--json", "journal", "verify", str(folder / "both")],
                                  capture_output=True, text=True)
        assert verified.returncode == 0, verified.stdout
        kept = folder / "both" / "rulesets" / (both["ruleSet"][2:] + ".json")
        shutil.move(kept, folder / "away.json")
        code, error = refused(str(folder / "both"), "--rules", "none")
        assert code == 1 and error["code"] == "not_found" and kept.stem in error["message"], error
        verified = subprocess.run([MIZAN, "--json", "journal", "verify", str(folder / "both")],
                                  capture_output=True, text=True)
        assert verified.returncode == 1 and kept.stem in verified.stdout, verified.stdout

        for words in (["--rules", str(folder / "nowhere")], ["--rules", "none", "--rules", str(own)],
                      ["--development-issuer", "{}"]):
            code, error = refused(str(folder / "new"), *words)
            assert code == 2, (words, code, error)
    print("rules at the start: as documented")


OPERATOR = Key().address

if __name__ == "__main__":
    main()
