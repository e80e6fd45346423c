#!/usr/bin/env python3
"""Two runs of one seed end in one state: the same hash, and the same summary."""
import subprocess
import sys


def run(seed):
    done = subprocess.run([sys.argv[1], "--seed", str(seed), "--steps", "5000"],
                          capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.startswith("hash: 0x"), done.stdout
    return done.stdout


for seed in range(1000, 1010):
    first, second = run(seed), run(seed)
    if first != second:
        sys.exit(f"seed {seed} gave two worlds:\n{first}\n{second}")
print("ten seeds, twice each: the same")
