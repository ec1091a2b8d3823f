"""Plays random scripts under Twisted's own reactor and the bridge's, and compares the outcomes.

A race has more than one outcome. So scripts that differ are played again, with other numbers of
scripts beside them, until each reactor has had an outcome that Twisted's reactor had too.
"""

import json
import subprocess
import sys

OURS = "turn", "run"
BLOCK = 500
WIDTHS = (40, 1, 6, 40, 1, 15, 40, 2, 30, 1, 60, 4) * 3


class Scripts:
    """`command` starts play.py; `log` gets what it prints to its stderr, such as Twisted's forks."""

    def __init__(self, command, log):
        self.command, self.log = command, log
        self.played = self.raced = 0
        self.differences = []

    def play(self, width, ranges):
        """Returns the outcomes by reactor and seed, as texts."""
        start = [[*self.command[:-1], which, self.command[-1], str(width)] for which in
                 ("twisted", *OURS)]
        plays = [subprocess.Popen([*args, *ranges], stdout=subprocess.PIPE, stderr=self.log)
                 for args in start]
        outcomes = {}
        for which, play in zip(("twisted", *OURS), plays):
            lines = [json.loads(line) for line in play.communicate()[0].splitlines()]
            outcomes[which] = {line.pop("seed"): line for line in lines}
            if play.returncode:
                sys.exit(f"error: play.py {which} failed for {ranges}")
        return outcomes

    def block(self, first, end):
        """Plays the seeds from `first` to `end`, which is not one of them."""
        seen = {which: {seed: set() for seed in range(first, end)} for which in ("twisted", *OURS)}
        left, ranges = range(first, end), [f"{first}-{end}"]
        for width in WIDTHS:
            for which, outcomes in self.play(width, ranges).items():
                for seed, outcome in outcomes.items():
                    if outcome["bad"] and which != "twisted":
                        self.report(seed, which, outcome)
                    seen[which][seed].add(json.dumps(outcome, sort_keys=True))
            left = [seed for seed in left if not self.agree(seen, seed)]
            if len(ranges) == 1 and "-" in ranges[0]:
                self.raced += len(left)
            ranges = [str(seed) for seed in left]
            if not left:
                break
        for seed in left:
            self.report(seed, *((which, sorted(seen[which][seed])) for which in seen))
        self.played += end - first

    def report(self, seed, *what):
        self.differences.append(seed)
        print(f"DIFFERENT {seed}", *what, sep="\n  ", flush=True)

    @staticmethod
    def agree(seen, seed):
        """Each of the bridge's reactors has had an outcome that Twisted's had."""
        return all(seen[which][seed] & seen["twisted"][seed] for which in OURS)


def compare(command, log, first, count):
    """Plays `count` scripts from the seed `first`. Returns whether none differs."""
    scripts = Scripts(command, log)
    for start in range(first, first + count, BLOCK):
        end = min(start + BLOCK, first + count)
        scripts.block(start, end)
        print(f"seeds {start} to {end - 1}: {len(scripts.differences)} differences so far",
              flush=True)
    print(f"{scripts.played} scripts (seeds {first} to {first + count - 1}) under Twisted's epoll "
          f"reactor and two of the bridge: {scripts.raced} had more than one outcome, "
          f"{len(scripts.differences)} differ")
    return not scripts.differences
