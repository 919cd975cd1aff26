#!/usr/bin/env python3
"""How fast a check reads, beside what else reads the same bytes: `b3sum` for the quick one, `zstd -dc | sha256sum` on all cores for
the full one, and `restic check --read-data` and `borg check --verify-data` over the same documents.

    cargo build --profile dist
    python3 tools/bench/check.py [--documents 300] [--size 1048576] [--rounds 5] [--program target/dist/custode]

Everything is in one run, in turns, on a warm page cache: what is compared is work, not a disk. Ratios are of medians; above 1 the check is
faster. Needs b3sum and zstd; without restic or borg those lines say that they were not measured. Documents are made here: half random,
as pictures and signed files are, half text.
"""
import argparse, base64, json, os, random, shutil, statistics, subprocess, sys, tempfile, time

LIMITS = {"b3sum": 0.9, "zstd -dc | sha256sum": 0.7, "restic check --read-data": 3.0, "borg check --verify-data": 3.0}
MOST_MEMORY = 200 << 20


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--size", type=int, default=1 << 20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--program", default="target/dist/custode")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    program = os.path.abspath(wanted.program)
    for tool in ("b3sum", "zstd", "sha256sum", "xargs"):
        if not shutil.which(tool):
            sys.exit("check.py: %s is missing" % tool)
    with tempfile.TemporaryDirectory(dir=os.environ.get("CUSTODE_BENCH_DIR")) as folder:
        report = measure(program, folder, wanted)
    if wanted.json:
        print(json.dumps(report, indent=1))
    else:
        show(report)
    sys.exit(0 if all(line["held"] is not False for line in report["lines"]) else 1)


def measure(program, folder, wanted):
    documents, archive = os.path.join(folder, "documents"), os.path.join(folder, "archive")
    make(documents, wanted.documents, wanted.size)
    custode = [program, "--archive", archive, "--json"]
    run(custode + ["init"])
    names = sorted(os.path.join(documents, name) for name in os.listdir(documents))
    for at in range(0, len(names), 100):
        run(custode + ["deposit", "--class", "generic", "-m", "date=2026-01-01"] + names[at:at + 100])
    run(custode + ["seal"])
    packages = os.path.join(archive, "packages")
    files = [os.path.join(base, name) for base, _, found in os.walk(packages) for name in found]
    contents = [name for name in files if name.endswith("content.tar.zst")]
    cores = len(os.sched_getaffinity(0))
    unpack = "printf '%%s\\0' %s | xargs -0 -P %d -n 1 sh -c 'zstd -dc \"$0\" | sha256sum'" % (" ".join(contents), cores)
    work = {
        "quick": custode + ["check", "--quick"],
        "full": custode + ["check", "--full"],
        "b3sum": ["b3sum", "--num-threads", str(cores)] + files,
        "zstd -dc | sha256sum": ["sh", "-c", unpack],
    }
    work.update(backups(folder, documents))
    seconds, memory = {name: [] for name in work}, {name: 0 for name in work}
    for _ in range(wanted.rounds):
        for name, command in work.items():
            took, most = run(command)
            seconds[name].append(took)
            memory[name] = max(memory[name], most)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    lines = []
    for peer, limit in LIMITS.items():
        for mode in (("quick",) if peer == "b3sum" else ("full",) if peer.startswith("zstd") else ("quick", "full")):
            ratio = median[peer] / median[mode] if peer in median else None
            lines.append({"mode": mode, "peer": peer, "ratio": ratio, "limit": limit, "held": None if ratio is None else ratio >= limit})
    for mode in ("quick", "full"):
        lines.append({"mode": mode, "memory": memory[mode], "limit": MOST_MEMORY, "held": memory[mode] <= MOST_MEMORY})
    return {
        "documents": len(names), "bytes": sum(map(os.path.getsize, names)), "stored": sum(map(os.path.getsize, files)),
        "packages": len(contents), "cores": cores, "seconds": {name: sorted(times) for name, times in seconds.items()}, "lines": lines,
    }


def backups(folder, documents):
    """The same documents in repositories of tools that check what they hold."""
    found, quiet = {}, dict(os.environ, RESTIC_PASSWORD="x", BORG_PASSPHRASE="", BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK="yes")
    quiet.update(RESTIC_CACHE_DIR=os.path.join(folder, "restic-cache"), BORG_BASE_DIR=os.path.join(folder, "borg-base"))
    os.environ.update(quiet)
    if shutil.which("restic"):
        repository = os.path.join(folder, "restic")
        run(["restic", "-q", "-r", repository, "init"])
        run(["restic", "-q", "-r", repository, "backup", documents])
        found["restic check --read-data"] = ["restic", "-q", "-r", repository, "check", "--read-data"]
    if shutil.which("borg"):
        repository = os.path.join(folder, "borg")
        run(["borg", "init", "-e", "none", repository])
        run(["borg", "create", repository + "::all", documents])
        found["borg check --verify-data"] = ["borg", "check", "--verify-data", repository]
    return found


def make(folder, count, size):
    os.mkdir(folder)
    chance = random.Random(20260101)
    for n in range(count):
        data = chance.randbytes(size)
        if n % 2:
            data = base64.encodebytes(data)[:size]
        with open(os.path.join(folder, "%06d.bin" % n), "wb") as file:
            file.write(data)


def run(command):
    """Seconds, and the most memory it held, in bytes."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            sys.exit("check.py: %s: %s" % (" ".join(command[:8]), said.read()[-2000:].decode(errors="replace")))
    return time.monotonic() - began, usage.ru_maxrss * 1024


def show(report):
    print("%d documents, %.0f MiB, %d packages of %.0f MiB, %d cores" % (
        report["documents"], report["bytes"] / 2**20, report["packages"], report["stored"] / 2**20, report["cores"]))
    for name, times in report["seconds"].items():
        print("  %-28s median %7.3f s   (%.3f to %.3f)" % (name, statistics.median(times), times[0], times[-1]))
    words = {True: "HELD", False: "MISSED", None: "not measured: it is not installed"}
    for line in report["lines"]:
        if "memory" in line:
            print("  %-5s memory %27.0f MiB (at most %.0f)  %s" % (line["mode"], line["memory"] / 2**20, line["limit"] / 2**20, words[line["held"]]))
        else:
            ratio = "-" if line["ratio"] is None else "%.2f" % line["ratio"]
            print("  %-5s over %-26s %6s (at least %.1f)  %s" % (line["mode"], line["peer"], ratio, line["limit"], words[line["held"]]))


if __name__ == "__main__":
    main()
