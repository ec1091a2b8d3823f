"""The parent's side of a script: a protocol that acts, and checks the grammar of events.

The grammar: `connectionMade`; then data and losses, no data after the loss of their descriptor, one
loss for each pipe; `processExited` once; `processEnded` once and last, after every loss.
"""

import zlib

from scripts.script import payload
from twisted.internet import error, reactor
from twisted.internet.protocol import ProcessProtocol

# Seconds after which the parent resumes, closes the inputs, kills, and gives up.
RESUME, CLOSE, KILL, GIVE_UP = 1.2, 2, 6, 60
EXPECTED_ERRORS = KeyError, error.ProcessExitedAlready, NotImplementedError


class Producer:
    def __init__(self, transport, push, times, data):
        self.transport, self.push, self.left, self.data = transport, push, times, data
        self.paused = self.stopped = False
        self.bad = []

    def resumeProducing(self):
        if self.stopped:
            self.bad.append("resumed after its stop")
        self.paused = False
        self.go() if self.push else self.one()

    def go(self):
        if self.left and not self.paused and not self.stopped:
            self.one()
            reactor.callLater(0, self.go)

    def one(self):
        if not self.left:
            return
        self.left -= 1
        self.transport.write(self.data)
        if not self.left:
            self.paused = True
            self.transport.unregisterProducer()
            self.transport.closeStdin()

    def pauseProducing(self):
        self.paused = True

    def stopProducing(self):
        if self.stopped:
            self.bad.append("stopped twice")
        self.stopped = True


class Player(ProcessProtocol):
    """Plays a script. `done(player)` is called at the end."""

    def __init__(self, script, done):
        self.script, self.done = script, done
        self.bad, self.errors, self.lost, self.producers = [], [], [], []
        self.data, self.fired, self.reason, self.state = {}, set(), None, "new"

    def check(self, holds, problem):
        if not holds:
            self.bad.append(problem)

    def fire(self, when):
        if when not in self.fired:
            self.fired.add(when)
            for act in self.script.acts:
                if act[0] == when:
                    self.act(act)

    def act(self, act):
        if self.state == "ended":
            return
        try:
            self.perform(*act[1:])
        except EXPECTED_ERRORS as problem:
            # The grammar leaves open whether the loss of an input comes before another event.
            if act[1] == "write" and act[0] != "made" and not act[0].startswith("time"):
                return
            self.errors.append(f"{act[0]} {act[1]} {type(problem).__name__}")
        except Exception as problem:
            self.bad.append(f"{act} raised {problem!r}")

    def perform(self, verb, *args):
        transport, seed = self.transport, self.script.seed
        if verb == "write":
            transport.writeToChild(args[0], payload(seed, *args))
        elif verb == "close":
            transport.closeChildFD(args[0])
        elif verb == "lose":
            transport.loseConnection()
        elif verb == "pause":
            transport.pauseProducing()
        elif verb == "resume":
            transport.resumeProducing()
        elif verb == "signal":
            transport.signalProcess(args[0])
        elif verb == "producer":
            push, times, size = args
            producer = Producer(transport, push, times, payload(seed, 0, size))
            try:
                transport.registerProducer(producer, push)
            except RuntimeError:  # there is one
                return
            self.producers.append(producer)
            if push:
                producer.go()

    def connectionMade(self):
        self.check(self.state == "new", "made twice")
        self.check(isinstance(self.transport.pid, int), "no pid")
        self.state = "made"
        self.fire("made")
        timed = [act for act in self.script.acts if act[0].startswith("time ")]
        self.calls = [reactor.callLater(int(a[0][5:]) / 1000, self.act, a) for a in timed]
        steps = (RESUME, self.resume), (CLOSE, self.close), (KILL, self.kill), (GIVE_UP, self.hang)
        self.calls += [reactor.callLater(*step) for step in steps]

    def resume(self):
        self.transport.resumeProducing()

    def close(self):
        for fd in self.script.ins:
            self.transport.closeChildFD(fd)
        if self.script.terminal:
            self.transport.loseConnection()

    def kill(self):
        try:
            self.transport.signalProcess("KILL")
        except error.ProcessExitedAlready:
            pass
        self.transport.loseConnection()
        if not self.script.terminal:
            for fd in self.script.fds:
                self.transport.closeChildFD(fd)

    def hang(self):
        self.bad.append("it does not end")
        self.end()

    def childDataReceived(self, fd, data):
        self.check(self.state == "made", f"data on {fd} in state {self.state}")
        self.check(fd not in self.lost, f"data on {fd} after its loss")
        self.check(len(data) > 0, "empty data")
        self.data.setdefault(fd, []).append(data)
        self.fire(f"data {fd}")

    def childConnectionLost(self, fd):
        self.check(self.state == "made", f"loss in state {self.state}")
        self.check(fd not in self.lost, f"{fd} is lost twice")
        pipe = self.script.fds.get(fd) in ("r", "w") and not self.script.terminal
        self.check(pipe, f"the loss of {fd}, which is no pipe")
        self.lost.append(fd)
        self.fire(f"lost {fd}")

    def processExited(self, reason):
        self.check(self.reason is None, "exited twice")
        self.check(self.transport.pid is None, "a pid after the exit")
        self.reason = self.why(reason)
        self.fire("exited")

    def processEnded(self, reason):
        self.check(self.state == "made", f"ended in state {self.state}")
        self.check(self.why(reason) == self.reason, "the reasons of exit and end differ")
        pipes = [] if self.script.terminal else self.script.ins + self.script.outs
        self.check(sorted(self.lost) == sorted(pipes), f"lost {self.lost} of {pipes}")
        self.end()

    def why(self, reason):
        end = reason.value
        return [type(end).__name__, end.exitCode, end.signal, end.status]

    def end(self):
        if self.state == "ended":
            return
        self.state = "ended"
        for call in self.calls:
            if call.active():
                call.cancel()
        for producer in self.producers:
            self.bad += producer.bad
        self.done(self)

    def outcome(self):
        """Returns what both reactors must agree on."""
        data = {fd: b"".join(parts) for fd, parts in self.data.items()}
        for fd, text in data.items():
            self.check_text(fd, text)
        outcome = {"reason": self.reason, "lost": sorted(self.lost), "bad": self.bad}
        if self.script.exact:
            outcome["data"] = {fd: [len(d), zlib.crc32(d)] for fd, d in sorted(data.items())}
            outcome["errors"] = sorted(self.errors)
        return outcome

    def check_text(self, fd, text):
        """The child's text before its first report is known."""
        if not self.script.terminal and not self.script.late_writer:
            text = text.partition(b"[")[0]
            alphabet = bytes(97 + (at + fd * 7) % 26 for at in range(26))
            known = (alphabet * (len(text) // 26 + 1))[: len(text)]
            self.check(text == known, f"other data on {fd} than the child wrote")
