#!/usr/bin/env python3
"""Holds the sources against the table of rooms (lib/rooms.txt).

Fails on an include that the table does not allow, on a room that the table does not name, on a cycle in the
table itself, and on what the pure rooms may not use. Exceptions stand in tests/lint/allowed.txt, each with a reason;
one that nothing needs any more is a failure too. Usage: rooms.py ROOT
"""

import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
SYSTEM_INCLUDE = re.compile(r"^\s*#\s*include\s+<([^>]+)>", re.M)

# What the pure rooms may not use: name -> pattern over the text without comments and strings.
BANNED = {
    "clock": r"\b(?:std::chrono|clock_gettime|gettimeofday|localtime\w*|gmtime\w*|(?:std::)?time\s*\(\s*(?:0|NULL|nullptr)\s*\)|system_clock|steady_clock)\b|::(?:system|steady)_clock",
    "random": r"\b(?:rand|srand|random|getrandom|getentropy|std::random_device|std::mt19937\w*|random_bytes)\b\s*\(?",
    "thread": r"\bstd::(?:thread|jthread|mutex|shared_mutex|atomic|condition_variable|async|future)\b|\bpthread_\w+|\bthread_local\b",
    "float": r"\b(?:float|double|strtod|strtof|stod|stof)\b",
    "iostream": r"\bstd::(?:cout|cerr|clog|cin|ostream|istream|ifstream|ofstream|fstream|stringstream|ostringstream|istringstream)\b",
    "locale": r"\b(?:std::locale|setlocale|std::(?:tolower|toupper|isalpha|isdigit|isspace|isalnum)|(?<![\w:])(?:tolower|toupper|isalpha|isdigit|isspace|isalnum))\b",
    "unordered": r"\bstd::unordered_\w+|\bboost::unordered\w*|\babsl::flat_hash\w*",
}
BANNED_HEADERS = {
    "clock": {"chrono", "ctime", "time.h"},
    "random": {"random"},
    "thread": {"thread", "mutex", "shared_mutex", "atomic", "condition_variable", "future"},
    "iostream": {"iostream", "fstream", "sstream", "istream", "ostream", "iomanip"},
    "locale": {"locale", "clocale", "cctype", "ctype.h"},
    "unordered": {"unordered_map", "unordered_set"},
}


def code_only(text):
    """The text with comments and string literals blanked, so that prose and messages are free."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
    return pattern.sub(lambda m: "\n" * m.group().count("\n") or " ", text)


def read_table(path):
    rooms, pure = {}, []
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        name, _, allowed = line.partition(":")
        if name == "pure":
            pure = allowed.split()
        else:
            rooms[name] = allowed.split()
    return rooms, pure


def read_exceptions(path):
    exceptions = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        entry, dash, reason = line.partition(" -- ")
        words = entry.split()
        if len(words) != 2 or not dash or not reason.strip():
            raise SystemExit(f"{path}:{number}: expected 'FILE WHAT -- REASON'")
        exceptions[tuple(words)] = False
    return exceptions


def sources(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in (".hpp", ".cpp", ".h"))


def check(root):
    faults = []
    rooms, pure = read_table(root / "lib/rooms.txt")
    allowed_file = root / "tests/lint/allowed.txt"
    exceptions = read_exceptions(allowed_file) if allowed_file.exists() else {}

    seen = []
    for room, allowed in rooms.items():
        for other in allowed:
            if other not in rooms:
                faults.append(f"lib/rooms.txt: {room} may include {other}, which is no room")
            elif other not in seen:
                faults.append(f"lib/rooms.txt: {room} may include {other}, which stands below it")
        seen.append(room)

    for folder in sorted(p for p in (root / "lib").iterdir() if p.is_dir()):
        room = folder.name
        if room not in rooms:
            faults.append(f"lib/{room}: no room of lib/rooms.txt; add it there or move its files")
            continue
        for path in sources(folder):
            name = path.relative_to(root).as_posix()
            text = path.read_text()
            for include in INCLUDE.findall(text):
                other = include.split("/")[0]
                if other != room and other not in rooms[room]:
                    faults.append(f"{name}: {room} may not include {include}")
            if room not in pure:
                continue
            code = code_only(text)
            headers = set(SYSTEM_INCLUDE.findall(text))
            for what, pattern in BANNED.items():
                hits = sorted(headers & BANNED_HEADERS.get(what, set()))
                match = re.search(pattern, code)
                if match:
                    hits.append(f"line {code[:match.start()].count(chr(10)) + 1}: {match.group().strip()}")
                if hits and (name, what) in exceptions:
                    exceptions[(name, what)] = True
                elif hits:
                    faults.append(f"{name}: {what} in a pure room ({', '.join(hits)})")
    for (name, what), used in exceptions.items():
        if not used:
            faults.append(f"tests/lint/allowed.txt: {name} {what} is not needed any more")
    return faults


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]))
    for fault in found:
        print(fault)
    print(f"lint: {len(found)} faults" if found else "lint: the rooms are as lib/rooms.txt says")
    sys.exit(1 if found else 0)
