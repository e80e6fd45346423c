#!/usr/bin/env python3
"""Puts into tests/fuzz/corpus/TARGET those few new inputs that reach the most new edges.

  keep.py EXECUTABLE NEW CORPUS    a libFuzzer target, the folder of its finds, its corpus

libFuzzer's own merge keeps a file for nearly every edge, hundreds a target; the first thirty reach
nearly all that they do.
"""

import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

MOST_FILES = 30
MOST_BYTES = 8192


def features(executable, folders):
    """Of each file the edges that it reaches, from the control file of a merge."""
    with tempfile.TemporaryDirectory() as work:
        control = pathlib.Path(work) / "control"
        into = pathlib.Path(work) / "into"
        into.mkdir()
        subprocess.run([executable, "-merge=1", "-set_cover_merge=1", "-use_counters=0",
                        f"-max_len={MOST_BYTES}", "-rss_limit_mb=4096",
                        f"-merge_control_file={control}", into, *folders],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # The number of files, that of those in the first folder, the names, then rows of features.
        lines = control.read_text(errors="replace").splitlines()
    names = [pathlib.Path(line.strip()) for line in lines[2:2 + int(lines[0])]]
    rows = (line.split() for line in lines[2 + len(names):])
    return {names[int(row[1])]: set(row[2:]) for row in rows if row and row[0] == "FT"}


def main():
    executable, new, corpus = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
    reached = features(executable, [corpus, new])
    known = set().union(*(edges for path, edges in reached.items() if path.parent == corpus))
    left = {path: edges for path, edges in reached.items()
            if path.parent == new and path.stat().st_size <= MOST_BYTES}
    before, kept = len(known), 0
    while left and kept < MOST_FILES:
        best = max(left, key=lambda path: (len(left[path] - known), -path.stat().st_size))
        if len(left[best] - known) < 2:
            break
        known |= left.pop(best)
        name = hashlib.sha1(best.read_bytes()).hexdigest()[:12]
        shutil.copyfile(best, corpus / name)
        kept += 1
    print(f"{corpus.name}: {kept} inputs kept, which reach {len(known) - before} new edges of "
          f"{len(set().union(*reached.values())) - before}")


if __name__ == "__main__":
    main()
