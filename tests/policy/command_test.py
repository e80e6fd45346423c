#!/usr/bin/env python3
"""`mizan policy check` and `status` as a person meets them: exit codes, streams, languages.

usage: command_test.py MIZAN REPOSITORY
"""
import copy
import json
import os
import subprocess
import sys
import tempfile


def main():
    program, root = sys.argv[1:3]
    base = json.load(open(os.path.join(root, "tests", "policy", "bases.json")))["lease"]
    rules = os.path.join(root, "policy")

    def check(case, *flags, folder=rules):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(case if isinstance(case, str) else json.dumps(case))
            file.flush()
            return subprocess.run([program, "policy", "check", file.name, "--rules", folder, *flags],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def changed(**facts):
        return {**copy.deepcopy(base), "id": "one", **facts}

    # One case, an array, every verdict: exit 0.
    told = check(changed(), "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["verdict"] == "ALLOW"
    assert told.stdout.count("\n") == 1
    told = check([changed(), changed(id="two", location="IR")], "--json")
    assert [a["verdict"] for a in json.loads(told.stdout)] == ["ALLOW", "PROHIBITED"]
    assert told.returncode == 0
    shown = check([changed(), changed(id="two", location="IR")])
    assert shown.returncode == 0 and "PROHIBITED" in shown.stdout and "\x1b" not in shown.stdout
    assert "not legal advice" in shown.stdout

    # Pending law only where it is asked for.
    party = dict(base["parties"][1], parent_hq="CN")
    abroad = changed(parties=[base["parties"][0], party], training=False)
    assert json.loads(check(abroad, "--json").stdout)["verdict"] == "ALLOW"
    assert json.loads(check(abroad, "--json", "--pending").stdout)["verdict"] == "LICENCE"

    # Arabic sentences, nothing else changed.
    english, arabic = (json.loads(check(abroad, "--json", "--lang", lang).stdout)
                       for lang in ("en", "ar"))
    for one, other in zip(english["findings"], arabic["findings"]):
        assert one.pop("sentence") != other.pop("sentence")
    assert english == arabic

    # A bad file: exit 2 and the field; an unknown chip with the nearest.
    for bad, field in ((changed(colour=1), "colour"), (changed(date="2026-02-30"), "date"),
                       (changed(location="XX"), "location"), (changed(chip="H100"), "H100 SXM"),
                       (changed(parties=[dict(party, listed_owners=[
                           {"share": 1.5, "list": "EL", "effect": "licence"}])]), "share"),
                       ("{", ""), ("", "")):
        told = check(bad)
        assert told.returncode == 2, (bad, told)
        assert field in told.stderr and told.stdout == "", told
        told = check(bad, "--json")
        assert told.returncode == 2 and field in told.stdout, told
    missing = subprocess.run([program, "policy", "check", "/nonexistent", "--rules", rules],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert missing.returncode == 2, missing

    # Bad rules do not load and say where.
    with tempfile.TemporaryDirectory() as folder:
        assert check(changed(), folder=folder).returncode == 2
        for name in os.listdir(rules):
            if name.endswith(".json"):
                text = open(os.path.join(rules, name)).read()
                if name == "us-pending.json":
                    text = text.replace('"citation"', '"citatoin"', 1)
                open(os.path.join(folder, name), "w").write(text)
        told = check(changed(), folder=folder)
        assert told.returncode == 2 and "us-pending.json: rules[0]" in told.stderr, told

    told = subprocess.run([program, "policy", "status", "--rules", rules, "--json"], check=True,
                          stdout=subprocess.PIPE, text=True)
    share = json.loads(told.stdout)["unverified"]["all"]
    assert 0 < share["unverified"] < share["values"]
    print("policy check and status behave")


if __name__ == "__main__":
    main()
