"""Makes a script from a seed: what the child does, what the parent does, and when."""

import os
import random

SIZES = [1, 5, 100, 4096, 8192, 65535, 65536, 65537, 131072, 200000, 700000]
NULL = os.open("/dev/null", os.O_RDWR)


def payload(seed, fd, size):
    return random.Random(seed * 31 + fd).randbytes(size)


def descriptors(r):
    fds = {0: "w", 1: "r", 2: "r"}
    for fd in (3, 4, 5):
        if r.random() < 0.3:
            fds[fd] = r.choice("rw")
    for fd in (0, 1, 2):
        if r.random() < 0.12:
            fds[fd] = NULL
        elif r.random() < 0.05:
            del fds[fd]
        elif r.random() < 0.05:
            fds[fd] = r.choice("rw")
    return fds


class Script:
    """A script is exact if its data do not depend on what the contract leaves open; see `is_open`."""

    def __init__(self, seed):
        r = random.Random(seed)
        self.seed, self.exact = seed, True
        self.terminal = r.random() < 0.12
        self.fds = {1: "r"} if self.terminal else descriptors(r)
        self.outs = [fd for fd, kind in self.fds.items() if kind == "r"]
        self.ins = [fd for fd, kind in self.fds.items() if kind == "w"]
        self.late_writer = False
        self.commands = list(self.child(r))
        self.acts = [act for act in (self.act(r) for _ in range(r.randint(0, 6))) if act]
        if self.terminal:
            # Twisted closes a terminal in a later step of its loop, so a signal may overtake it.
            signalled = [act[0] for act in self.acts if act[1] == "signal"]
            self.acts = [("time 45", "lose") if act[1] == "lose" and act[0] in signalled else act
                         for act in self.acts]
        self.exact = self.exact and not self.terminal and not self.is_open()

    def is_open(self):
        """Returns whether the data depend on the size of reads, or on the time of a late write.

        Procession reads up to eight times as much at once, so a parent that pauses in a callback has
        seen more. It drops what is written after a close; Twisted may write it. It resumes a new
        producer from the loop, and Twisted inside the call.
        """
        written = [act[2] for act in self.acts if act[1] == "write"]
        closed = [act[2] for act in self.acts if act[1] == "close"]
        produced = [0 for act in self.acts if act[1] == "producer"]
        paused = any(act[1] == "pause" and act[0][:4] not in ("made", "time") for act in self.acts)
        both = set(written) & set(closed) or set(produced) & set(written + closed)
        return paused or both or len(produced) > 1

    def child(self, r):
        """Returns the commands of the child; see child/src/main.rs."""
        if r.random() < 0.5:
            yield "i"
        for _ in range(r.randint(0, 7)):
            kind = r.choice("wwwwrRecssgGxk")
            if kind == "w" and self.outs:
                yield f"w{r.choice(self.outs)},{r.choice(SIZES)}"
            elif kind == "r" and self.ins:
                yield f"r{r.choice(self.ins)},{r.choice(SIZES)}"
            elif kind == "R" and self.ins:
                yield f"R{r.choice(self.ins)}"
            elif kind == "e" and self.ins and self.outs:
                yield f"e{r.choice(self.ins)},{r.choice(self.outs)}"
            elif kind == "c" and not self.terminal and self.fds:
                yield f"c{r.choice(list(self.fds))}"
            elif kind == "s":
                yield f"s{r.choice([1, 10, 40, 80])}"
            elif kind == "g" and self.outs and not self.terminal:
                yield f"g{r.choice(self.outs)},{r.choice([5, 60, 150])},0"
            elif kind == "G" and self.outs and not self.terminal:
                self.exact, self.late_writer = False, True
                yield f"g{r.choice(self.outs)},{r.choice([5, 60])},{r.choice([1, 100, 4096])}"
            elif kind == "x" and r.random() < 0.5:
                yield f"x{r.choice([0, 1, 3, 255])}"
            elif kind == "k" and r.random() < 0.5:
                yield f"k{r.choice([9, 15, 1, 2, 6])}"
        if self.ins and self.outs and r.random() < 0.6:
            yield f"R{self.ins[0]}"
            yield f"e{self.ins[0]},{self.outs[0]}"

    def act(self, r):
        """Returns an act of the parent: when, what, and its arguments."""
        when = r.choice(["made", "made", "time", "time", "data", "lost", "exited"])
        if when == "time":
            when += f" {r.choice([0, 5, 30, 60, 120])}"
        elif when == "data" and self.outs:
            when += f" {r.choice(self.outs)}"
        elif when == "lost" and self.fds:
            when += f" {r.choice(list(self.fds))}"
        verbs = ["write"] * 4 + ["close"] * 3
        verb = r.choice(verbs + ["lose", "pause", "resume", "signal", "producer"])
        if verb == "write":
            return self.ins and (when, verb, r.choice(self.ins), r.choice(SIZES))
        if verb == "close":
            if not self.fds:
                return None
            fd = r.choice(list(self.fds))
            self.exact &= self.fds[fd] != "r"
            return when, verb, fd
        if verb == "producer":
            push, times = r.random() < 0.5, r.randint(1, 6)
            return self.fds.get(0) == "w" and (when, verb, push, times, r.choice(SIZES[:9]))
        if verb == "signal":
            self.exact = False
            return self.later(when), verb, r.choice(["KILL", "TERM", "INT", 10])
        if verb == "lose":
            self.exact = False
            when = self.later(when)
        return when, verb

    def later(self, when):
        """Twisted calls `connectionMade` before the exec, if the child has a terminal.

        A signal is lost then, and a lost terminal makes Twisted's own code in the child fail.
        """
        return "time 30" if self.terminal and when in ("made", "time 0", "time 5") else when
