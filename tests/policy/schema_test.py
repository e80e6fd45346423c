#!/usr/bin/env python3
"""The case files and their answers fit the JSON Schemas of policy/schema; bad cases do not.

usage: schema_test.py POLICY_ANSWERS REPOSITORY
"""
import copy
import glob
import json
import os
import subprocess
import sys
import tempfile

import jsonschema


def merged(bases, row):
    case = copy.deepcopy(bases[row["base"]])
    case["id"] = row["id"]

    def owner(key):
        if "." not in key:
            return case, key
        role, key = key.split(".")
        return next(p for p in case["parties"] if p["role"] == role), key

    for name, value in row.get("set", {}).items():
        where, key = owner(name)
        where[key] = value
    for name in row.get("drop", []):
        where, key = owner(name)
        del where[key]
    case.get("parties", []).extend(row.get("add", []))
    return case


def main():
    program, root = sys.argv[1:3]
    here = os.path.join(root, "tests", "policy")
    schemas = {}
    for name in ("case", "answer"):
        schema = json.load(open(os.path.join(root, "policy", "schema", name + ".json")))
        jsonschema.Draft202012Validator.check_schema(schema)
        schemas[name] = jsonschema.Draft202012Validator(schema)
    bases = json.load(open(os.path.join(here, "bases.json")))
    cases = [merged(bases, row) for path in sorted(glob.glob(os.path.join(here, "cases", "*.json")))
             for row in json.load(open(path))["cases"]]
    for case in cases:
        schemas["case"].validate(case)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(cases, file)
        file.flush()
        text = subprocess.run([program, os.path.join(root, "policy"), file.name], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
    answers = json.loads(text)
    assert len(answers) == len(cases) > 300, len(answers)
    for case, answer in zip(cases, answers):
        assert answer["id"] == case["id"]
        schemas["answer"].validate(answer)

    base = cases[0]
    party = base["parties"][0]
    for bad in (dict(base, colour=1), dict(base, date="tomorrow"), dict(base, destination="usa"),
                dict(base, units=0), dict(base, operation="rent"), dict(base, units={"value": 1}),
                dict(base, units={"value": 1, "evidence": "hearsay"}),
                {k: v for k, v in base.items() if k != "date"},
                dict(base, parties=[dict(party, role="friend")]),
                dict(base, parties=[dict(party, headquarters="US")]),
                dict(base, parties=[dict(party, listed_owners=[
                    {"share": 1.1, "list": "EL", "effect": "licence"}])]),
                dict(base, chip={"dense9": 1})):
        assert not schemas["case"].is_valid(bad), bad
    print(f"{len(cases)} cases and answers fit their schemas")


if __name__ == "__main__":
    main()
