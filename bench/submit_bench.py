#!/usr/bin/python3
"""Submit to first output beside `runc run` of the same bundle; work inside beside outside.

    bench/submit_bench.py [--jobs 200] [--pairs 21] [--bin build/release/mizan]

Prints the tables of docs/BENCHMARKS.md. All parties run on this machine; the key is unlocked; what
is timed is the whole of `mizan run -y -- echo first`, from the start of its process to its first
byte of output: plan, order, match, verdict, escrow, sandbox, log. Each is followed by one `runc
run` of the same bundle (its own cgroup and name), so that a busy machine slows both.
"""
import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests" / "e2e" / "market"))

WORK = """import hashlib, time
began = time.perf_counter()
data = bytes(1 << 20)
total = 0
for i in range(60):
    total += hashlib.sha256(data).digest()[0]
    total += sum(j * j for j in range(20000))
print(f"work={time.perf_counter() - began:.6f}")
"""


def first_byte_ms(command, **options):
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               stdin=subprocess.DEVNULL, **options)
    first = process.stdout.read(1)
    took = (time.perf_counter() - began) * 1000
    process.stdout.read()
    if process.wait() != 0 or not first:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return took


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def row(name, values):
    return (f"| {name} | {statistics.median(values):.1f} | {percentile(values, 0.9):.1f} | "
            f"{percentile(values, 0.99):.1f} | {max(values):.1f} |")


def bundle_of_running_job(folder):
    """The folder that conmon was given with -b for the one job that runs."""
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words and words[0].endswith(b"conmon") and str(folder).encode() in b" ".join(words):
            for flag in (b"-b", b"--bundle"):
                if flag in words:
                    return pathlib.Path(words[words.index(flag) + 1].decode())
    raise SystemExit("no running job's bundle was found")


def copy_bundle(bundle, folder):
    """The same configuration and root, with another command and a cgroup of its own."""
    config = json.loads((bundle / "config.json").read_text())
    config["process"]["args"] = ["/bin/sh", "-c", "echo first"]
    root = pathlib.Path(config["root"]["path"])
    config["root"]["path"] = str(root if root.is_absolute() else bundle / root)
    config["linux"]["cgroupsPath"] = "/mizan-bench"
    for namespace in config["linux"]["namespaces"]:
        namespace.pop("path", None)
    config.pop("hooks", None)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def measure_submit(market, jobs, runtime):
    submit = [*market.command("buyer"), "run", "-y", "--", "echo", "first"]
    holder = market.start_run("--", "sleep", "100000", name="holder")
    from harness import wait_until
    wait_until(lambda: [j for j in market.json("buyer", "ps")["jobs"] if j["state"] == "running"],
               "the holder runs")
    bundle = copy_bundle(bundle_of_running_job(market.folder), market.folder / "bundle")
    ours, bare = [], []
    for i in range(jobs + 5):
        ours.append(first_byte_ms(submit, cwd=market.folder))
        bare.append(first_byte_ms([runtime, "run", "--bundle", str(bundle), f"bench{i}"]))
        if sys.stderr.isatty():
            print(f"\rjob {i + 1} of {jobs + 5}", end="", file=sys.stderr)
    market.mizan("buyer", "stop", "sleep")
    holder.wait()
    ours, bare = ours[5:], bare[5:]  # warm
    print(f"\n| submit to first output, {jobs} jobs, ms | p50 | p90 | p99 | max |\n"
          f"|---|---|---|---|---|\n{row('`mizan run -y -- echo first`', ours)}\n"
          f"{row(f'`{pathlib.Path(runtime).name} run`, the same bundle', bare)}\n"
          f"| difference of the medians | {statistics.median(ours) - statistics.median(bare):.1f} "
          "| | | |")


def work_ms(text):
    return float(text.split("work=")[1].split()[0]) * 1000


def measure_work(market, pairs):
    tree = market.folder / "work"
    tree.mkdir()
    script = tree / "work.py"
    script.write_text(WORK)
    job = market.folder / "work.yaml"
    job.write_text("name: work\nworkdir: work\nresources: {cpus: 1, memory: 1, disk_size: 1}\n"
                   "run: /usr/bin/python3 work.py\n")
    ratios = []
    for i in range(pairs):
        def inside():
            return work_ms(market.mizan("buyer", "run", "-y", job).stdout)

        def outside():
            return work_ms(market.run(["/usr/bin/python3", str(script)]).stdout)
        # Whoever goes first alternates: a machine that slows down does not favour one side.
        a, b = (inside, outside) if i % 2 else (outside, inside)
        first, second = a(), b()
        within, without = (first, second) if i % 2 else (second, first)
        ratios.append(without / within)
    draw = random.Random(1)
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(5000))
    print(f"\n| work done inside / outside, {pairs} pairs | median | 95 % interval |\n|---|---|---|\n"
          f"| SHA-256 and Python loops on one core | {statistics.median(ratios):.3f} | "
          f"{medians[125]:.3f} to {medians[4875]:.3f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=21)
    parser.add_argument("--bin", default=str(REPOSITORY / "build" / "release" / "mizan"))
    parser.add_argument("--runtime", default="/usr/sbin/runc")
    args = parser.parse_args()
    os.environ["MIZAN_BIN"] = str(pathlib.Path(args.bin).resolve())
    from harness import Market
    with Market(grant="1000") as market:
        market.mizan("buyer", "key", "unlock", "--for", "1h")
        if args.jobs:
            measure_submit(market, args.jobs, args.runtime)
        if args.pairs:
            measure_work(market, args.pairs)
        market.mizan("buyer", "key", "lock")
    return 0


if __name__ == "__main__":
    sys.exit(main())
