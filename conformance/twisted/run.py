#!/usr/bin/env python3
"""Runs Twisted's own tests over procession, or compares random scripts with Twisted's reactor.

    run.py                                prints a table, and compares it with expected.txt
    run.py --scripts N [--from SEED]      plays N random scripts under both

It builds the bridge, and makes an environment with Twisted, below target/twisted. Both are reused.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORK = HERE.parent.parent / "target" / "twisted"
SOURCES, LIB, REPORTS = HERE / "python", WORK / "lib", WORK / "reports"
# Debian's, because the tests of users run it as another user; one in a home folder may be closed.
PYTHON = "/usr/bin/python3"
NEEDS = "apt-get install python3 python3-venv; Python 3.11 or later"
OLDEST = 3, 11

INTERNET = "twisted.internet.test"
PROCMON = "twisted.runner.test.test_procmon"
# Names each test of that module beside a test of ours.
PROCMON_LIST = HERE.parent.parent / "crates/utils/PROCMON-TESTS.md"
# The name of the row, the mode of run_tests.py, and the modules.
SUITES = [
    ("internet/test/test_process", "built", [f"{INTERNET}.test_process"]),
    ("test/test_process", "installed", ["twisted.test.test_process"]),
    ("test/test_iutils", "installed", ["twisted.test.test_iutils"]),
    ("test_stdio, both", "installed", ["twisted.test.test_stdio", f"{INTERNET}.test_stdio"]),
    ("internet/test/test_core", "built", [f"{INTERNET}.test_core"]),
    ("internet/test/test_time", "built", [f"{INTERNET}.test_time"]),
    ("internet/test/test_threads", "built", [f"{INTERNET}.test_threads"]),
    ("internet/test/test_fdset", "built", [f"{INTERNET}.test_fdset"]),
    ("internet/test/test_sigchld", "built", [f"{INTERNET}.test_sigchld"]),
    ("runner/test/test_procmon", "installed", [PROCMON]),
    ("mocked claims, on real calls", "installed", ["claims"]),
]
OUTCOMES = ["passed", "failed", "skipped", "not applicable"]


def run(*command, **options):
    print("$", *command, flush=True)
    subprocess.run([str(word) for word in command], check=True, **options)


def check_needs():
    """Ends the program if it lacks something, and says where to get it."""
    ask = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
    try:
        version = subprocess.run([PYTHON, "-c", ask], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        sys.exit(f"error: needs {NEEDS}")
    if tuple(int(number) for number in version.stdout.split()) < OLDEST:
        sys.exit(f"error: {PYTHON} is too old; needs {NEEDS}")
    if os.geteuid() != 0:
        sys.exit("error: needs root, because some tests change the user of a child")
    closed = [folder for folder in [HERE, *HERE.parents] if not folder.stat().st_mode & 0o001]
    if closed:
        sys.exit(f"error: {closed[0]} is closed to other users, as whom some tests run; clone the "
                 "repository to another folder")


def set_up():
    """Builds the bridge and the child, and installs Twisted. Returns the environment's Python."""
    # The extension is for every Python from 3.11 on, so its build needs no Python and no headers.
    cargo = ["cargo", "build", "--locked", "--manifest-path", HERE / "Cargo.toml"]
    run(*cargo, "--target-dir", WORK / "build", env={**os.environ, "PYO3_NO_PYTHON": "1"})
    LIB.mkdir(exist_ok=True)
    REPORTS.mkdir(exist_ok=True)
    library = LIB / "procession_twisted.so"
    library.unlink(missing_ok=True)
    library.symlink_to(WORK / "build/debug/libprocession_twisted.so")
    python = WORK / "venv/bin/python"
    if not python.exists():
        run(PYTHON, "-m", "venv", WORK / "venv")
    install = [python, "-m", "pip", "install", "--quiet", "--require-hashes"]
    run(*install, "-r", HERE / "requirements.txt")
    os.environ["PYTHONPATH"] = f"{SOURCES}:{LIB}"
    return python


def suite(python, name, mode, modules):
    """Runs the tests of some modules. Returns their records."""
    report = REPORTS / f"{name.replace('/', '.')}.json"
    report.unlink(missing_ok=True)
    command = [python, SOURCES / "run_tests.py", mode, HERE / "not-applicable.txt", report]
    log = report.with_suffix(".log")
    with open(log, "w") as output:
        ended = subprocess.run([*command, *modules], cwd=REPORTS, stdout=output, stderr=output)
    if ended.returncode:
        sys.exit(f"error: {name} ended early; see {log}")
    return [json.loads(line) for line in report.read_text().splitlines()]


def tests():
    """Runs every suite. Returns whether the table is the expected one and every entry was used."""
    python = set_up()
    rows, records = [row("suite", ["run", *OUTCOMES]), row("---", ["---:"] * 5)], []
    for name, mode, modules in SUITES:
        found = suite(python, name, mode, modules)
        records += found
        rows.append(row(name, counts(found)))
        print(rows[-1], flush=True)
    rows.append(row("all", counts(records)))
    table = "\n".join(rows) + "\n"
    print(f"\n{table}")
    for record in records:
        if record["outcome"] == "failed":
            print(f"FAILED {record['test']}: {record['detail'].splitlines()[0]}")
    skipped = Counter(r["detail"] for r in records if r["outcome"] == "skipped")
    for reason, times in skipped.items():
        print(f"skipped by Twisted: {times} tests: {reason}")
    used = {record["detail"] for record in records if record["outcome"] == "not applicable"}
    names = [line.split(": ")[0] for line in (HERE / "not-applicable.txt").read_text().splitlines()
             if line and not line.startswith("#")]
    unused = [name for name in names if name not in used]
    for name in unused:
        print(f"not-applicable.txt names {name}, which is no test")
    expected = (HERE / "expected.txt").read_text()
    if table != expected:
        print(f"The table is not that of expected.txt:\n\n{expected}")
    unlisted = unlisted_tests([record["test"] for record in records])
    for name in unlisted:
        print(f"{name} is in one of {PROCMON} and {PROCMON_LIST.name}, and not in the other")
    return table == expected and not unused and not unlisted


def unlisted_tests(names):
    """Returns what is only among the tests of procmon, or only in the list of them."""
    ours = (line.split("`")[1] for line in PROCMON_LIST.read_text().splitlines()
            if line.startswith("| `"))
    theirs = (name.removeprefix(f"{PROCMON}.") for name in names if name.startswith(PROCMON))
    return sorted(set(ours) ^ set(theirs))


def counts(records):
    """Returns the numbers of a row. `run` is the sum of passed and failed."""
    by = Counter(record["outcome"] for record in records)
    return [by["passed"] + by["failed"], *(by[outcome] for outcome in OUTCOMES)]


def row(name, cells):
    return f"| {name} | {' | '.join(str(cell) for cell in cells)} |"


def scripts(first, count):
    python = set_up()
    sys.path.insert(0, str(SOURCES))
    from compare import compare

    command = [python, SOURCES / "play.py", WORK / "build/debug/twisted-child"]
    with open(REPORTS / f"scripts-{first}.log", "w") as log:
        return compare(command, log, first, count)


def main():
    parser = argparse.ArgumentParser(prog="cargo xtask twisted")
    parser.add_argument("--scripts", type=int, metavar="N", help="play N random scripts")
    parser.add_argument("--from", type=int, default=0, metavar="SEED", dest="first")
    options = parser.parse_args()
    check_needs()
    WORK.mkdir(parents=True, exist_ok=True)
    if options.scripts is None:
        good = tests()
    else:
        good = scripts(options.first, options.scripts)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
