#!/usr/bin/env python3
"""Plants the faults of faults.toml, one at a time, in a copy of the tree, and has tests find them.

  mutation.py                  all of them; exits 1 if one survives, or if a test fails without any
  mutation.py NAME...          those whose names begin so; exits 2 if there is none
  mutation.py --check          only that each fault still has its place, and its row in
                               docs/RELIABILITY.md: quick, builds nothing
  mutation.py --table [FILE]   the rows for docs/RELIABILITY.md, of the last results

The copy and what it builds lie in build/mutation; the tree itself is never changed.
"""

import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPY = ROOT / "build" / "mutation" / "tree"
RESULTS = ROOT / "build" / "mutation" / "results.json"
BUILD = COPY / "build" / "release"
LIMIT_S = 900  # a test that takes longer hangs: the fault is found
# The million commands of property_core take a minute; a planted fault shows sooner.
ENVIRONMENT = {**os.environ, "MIZAN_STEPS": "200000"}


def faults():
    with open(ROOT / "tests" / "mutation" / "faults.toml", "rb") as file:
        return tomllib.load(file)["fault"]


def check():
    """What is wrong with the list, a line each."""
    wrong = []
    names = set()
    for fault in faults():
        name = fault["name"]
        if name in names:
            wrong.append(f"{name}: is there twice")
        names.add(name)
        if fault["old"] == fault["new"] or not fault["tests"]:
            wrong.append(f"{name}: changes nothing, or names no test")
        places = (ROOT / fault["file"]).read_text().count(fault["old"])
        if places != 1:
            wrong.append(f"{name}: its old text is in {fault['file']} {places} times, not once: "
                         "change faults.toml with the code")
    return wrong


def check_document():
    """Where docs/RELIABILITY.md lists other faults than faults.toml, a line each."""
    text = (ROOT / "docs" / "RELIABILITY.md").read_text()
    section = text.partition("\n## Planted faults\n")[2].partition("\nThe simulation found")[0]
    rows = re.findall(r"^\| (.+?) \| `(.+?)` \| .+ \|$", section, re.M)
    listed = collections.Counter((what, file if file.startswith("cmd/") else "lib/" + file)
                                 for what, file in rows)
    planted = collections.Counter((fault["what"], fault["file"]) for fault in faults())
    return [f"docs/RELIABILITY.md lacks a row: {what} ({file})" for what, file in planted - listed] + \
           [f"faults.toml has no such fault, or not so often: {what} ({file}), a row of "
            "docs/RELIABILITY.md" for what, file in listed - planted]


def copy_tree():
    """Brings the copy up to date; only what differs is written, so that little is built again."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, check=True, capture_output=True).stdout.decode()
    names = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    for name in names:
        source, target = ROOT / name, COPY / name
        if target.is_file() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    for path in [*COPY.rglob("*")]:
        name = path.relative_to(COPY)
        if path.is_file() and name.parts[0] != "build" and str(name) not in names:
            path.unlink()


def run(command, **options):
    return subprocess.run(command, cwd=COPY, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=ENVIRONMENT, errors="replace", **options)


def build(targets):
    built = run(["ninja", "-C", str(BUILD), *targets])
    return None if built.returncode == 0 else built.stdout[-4000:]


def executable(test):
    return next(path for path in BUILD.glob(f"tests/**/{test}") if path.is_file())


def target(test):
    """`test` is an executable, or one and a filter of its cases: crash_journal:JournalFault.*"""
    return test.partition(":")[0]


def found_by(test):
    """None if the test passes, else what of it failed."""
    name, _, cases = test.partition(":")
    try:
        ran = run([str(executable(name)), "--gtest_fail_fast", f"--gtest_filter={cases or '*'}"],
                  timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return f"{name} (does not end)"
    if ran.returncode == 0:
        return None
    failed = re.findall(r"^\[  FAILED  \] (\S+?)[, ].*ms\)$", ran.stdout, re.M)
    begun = re.findall(r"^\[ RUN      \] (\S+)$", ran.stdout, re.M)
    case = (failed or begun or ["?"])[-1]
    return f"{name} {case}" + ("" if failed else " (the program stops)")


def plant(fault):
    """What found it, or None; the copy is whole again afterwards."""
    path = COPY / fault["file"]
    whole = path.read_text()
    path.write_text(whole.replace(fault["old"], fault["new"]))
    try:
        for test in fault["tests"]:
            if broken := build([target(test)]):
                return f"DOES NOT BUILD\n{broken}"
            if found := found_by(test):
                return found
        return None
    finally:
        path.write_text(whole)


def main():
    wrong = check() + (check_document() if sys.argv[1:2] == ["--check"] else [])
    print("\n".join(wrong) if wrong else f"{len(faults())} faults have their places")
    if wrong or sys.argv[1:2] == ["--check"]:
        return 1 if wrong else 0
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if sys.argv[1:2] == ["--table"]:
        for fault in faults():
            print(f"| {fault['what']} | {fault['file']} | {results.get(fault['name'], '?')} |")
        return 0
    for name in sys.argv[1:]:
        if not any(fault["name"].startswith(name) for fault in faults()):
            print(f"no fault's name begins with {name}: tests/mutation/faults.toml has them all",
                  file=sys.stderr)
            return 2
    wanted = [fault for fault in faults()
              if not sys.argv[1:] or any(fault["name"].startswith(name) for name in sys.argv[1:])]
    tests = sorted({test for fault in wanted for test in fault["tests"]})
    copy_tree()
    configured = run(["cmake", "--preset", "release", "-DCMAKE_UNITY_BUILD=OFF"])  # one file a fault
    broken = configured.stdout if configured.returncode else build(sorted({target(test) for test in tests}))
    if broken:
        print(broken)
        return 1
    for test in tests if not sys.argv[1:] else []:
        if found := found_by(test):
            print(f"{found} fails without any fault")
            return 1
    survived = []
    for fault in wanted:
        started = time.monotonic()
        found = plant(fault)
        if found is None or found.startswith("DOES NOT BUILD"):
            survived.append(fault["name"])
        else:
            results[fault["name"]] = found
            RESULTS.write_text(json.dumps(results, indent=1))
        print(f"{fault['name']}: {found or 'SURVIVED'}  [{time.monotonic() - started:.0f} s]",
              flush=True)
    print(f"{len(wanted) - len(survived)} of {len(wanted)} planted faults were found")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
