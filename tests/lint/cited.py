#!/usr/bin/env python3
"""Every test that docs/THREAT_MODEL.md names is there, and every row of its promises names one.

  cited.py [ROOT]    exits 1 and tells what is missing
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
FILE = re.compile(r"^[\w/]+\.(py|t\.sol|mjs)$")
CASE = re.compile(r"^[A-Z]\w*[a-z]\w*\.\w+$")
SUITE = re.compile(r"^[A-Z]\w*[a-z]\w*$")


def tests():
    """The names by which a test may be called: Suite, Suite.Case, file.py, file.py's test_case."""
    names = set()
    for path in [*(ROOT / "tests").rglob("*"), *(ROOT / "contracts" / "test").rglob("*")]:
        if path.suffix == ".cpp":
            cases = re.findall(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", path.read_text(), re.M)
            names.update(suite for suite, _ in cases)
            names.update(f"{suite}.{case}" for suite, case in cases)
        elif path.suffix in (".py", ".mjs", ".sol"):
            names.add(path.name)
    return names


def main():
    text = (ROOT / "docs" / "THREAT_MODEL.md").read_text()
    known = tests()
    wrong = []
    for token in re.findall(r"`([^`\n]+)`", text):
        if (FILE.match(token) or CASE.match(token)) and token.split("/")[-1] not in known:
            wrong.append(f"docs/THREAT_MODEL.md names {token}, and there is no such test")
    promises = text.partition("\n## What is promised\n")[2].partition("\n## ")[0]
    rows = [line for line in promises.splitlines() if line.startswith("| ")][1:]
    for row in rows:
        shown_by = re.findall(r"`([^`]+)`", row.split("|")[3])
        if not any(token.split("/")[-1] in known for token in shown_by):
            wrong.append(f"docs/THREAT_MODEL.md: no test shows this: {row[:80]}...")
        wrong += [f"docs/THREAT_MODEL.md names {token}, and there is no such suite"
                  for token in shown_by if SUITE.match(token) and token not in known]
    print("\n".join(wrong) or f"{len(rows)} promises have their tests")
    return 1 if wrong or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
