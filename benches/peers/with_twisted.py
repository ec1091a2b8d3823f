"""Twisted at the rows of the comparison.

    with_twisted.py ROW PROGRAMS COUNT CROWD

Prepares itself, prints `ready`, and answers each line of its standard input with `value FIGURE`.
"""

import os
import random
import resource
import sys
import threading
import time

from twisted.internet import defer, protocol, reactor, utils

ROW, PROGRAMS, COUNT, CROWD = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
CHUNK = 4096 if ROW == "bulk-out-4k" else 128 * 1024
now = time.perf_counter
held = None


def program(name):
    return os.path.join(PROGRAMS, name)


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident_bytes():
    with open("/proc/self/smaps_rollup") as rollup:
        return next(int(line.split()[1]) * 1024 for line in rollup if line.startswith("Rss:"))


class Count(protocol.ProcessProtocol):
    """Counts what comes, and fires when the child has ended."""

    def __init__(self, times=0):
        self.received = 0
        self.times = times
        self.ended = defer.Deferred()

    def connectionMade(self):
        if self.times:
            self.chunk = b"x" * CHUNK
            self.transport.pipes[0].registerProducer(self, False)
        else:
            self.transport.closeStdin()

    def resumeProducing(self):
        if self.times:
            self.times -= 1
            self.transport.write(self.chunk)
        else:
            self.transport.pipes[0].unregisterProducer()
            self.transport.closeStdin()

    def stopProducing(self):
        pass

    def outReceived(self, data):
        self.received += len(data)

    def processEnded(self, reason):
        self.ended.callback(self.received)


def spawn_once():
    count, options = Count(), {}
    if ROW == "spawn-1g":
        # Twisted gives a session only with a terminal, and then allows no map of descriptors.
        options = {"usePTY": True}
    reactor.spawnProcess(count, program("exit0"), ["exit0"], env=None, **options)
    return count.ended


async def spawn():
    start = now()
    for _ in range(COUNT):
        await spawn_once()
    return (now() - start) * 1e6 / COUNT


async def rate():
    async def half():
        for _ in range(COUNT // 2):
            await spawn_once()

    start = now()
    await defer.gatherResults([defer.ensureDeferred(half()) for _ in range(2)])
    return COUNT / (now() - start)


def flood(count):
    arguments = ["flood", str(CHUNK), str(COUNT // CHUNK)]
    reactor.spawnProcess(count, program("flood"), arguments, env=None)


async def bulk():
    start = now()
    count = Count()
    flood(count)
    assert await count.ended == COUNT
    return COUNT / 1e9 / (now() - start)


async def through_cat():
    start = now()
    count = Count(COUNT // CHUNK)
    reactor.spawnProcess(count, program("cat"), ["cat"], env=None)
    assert await count.ended == COUNT
    return COUNT / 1e9 / (now() - start)


class Sink(protocol.ProcessProtocol):
    def __init__(self):
        self.ended = defer.Deferred()

    def processEnded(self, reason):
        self.ended.callback(None)


class Mover(Count):
    """Hands on what comes, and stops reading while the sink is full."""

    def __init__(self, sink):
        super().__init__()
        self.sink = sink

    def connectionMade(self):
        self.transport.closeStdin()
        self.sink.pipes[0].registerProducer(self, True)

    def pauseProducing(self):
        self.transport.pipes[1].pauseProducing()

    def resumeProducing(self):
        if 1 in self.transport.pipes:
            self.transport.pipes[1].resumeProducing()

    def outReceived(self, data):
        self.sink.write(data)

    def processEnded(self, reason):
        self.sink.pipes[0].unregisterProducer()
        self.sink.closeStdin()
        self.ended.callback(None)


async def move_all():
    sink = Sink()
    transport = reactor.spawnProcess(sink, program("sink"), ["sink"], env=None)
    mover = Mover(transport)
    flood(mover)
    await mover.ended
    await sink.ended


async def forward():
    start = now()
    await move_all()
    return COUNT / 1e9 / (now() - start)


async def forward_cpu():
    start = cpu_seconds()
    await move_all()
    return (cpu_seconds() - start) * 1e3 / (COUNT / 1e9)


class Cat(protocol.ProcessProtocol):
    def begin(self, done):
        self.left, self.done = COUNT, done
        self.transport.write(b"x")

    def outReceived(self, data):
        self.left -= 1
        if self.left:
            self.transport.write(data)
        else:
            self.done.callback(None)


async def echo():
    done = defer.Deferred()
    start = now()
    held.begin(done)
    await done
    return (now() - start) * 1e6 / COUNT


async def memory():
    reader, writer = os.pipe()
    null = os.open("/dev/null", os.O_RDWR)
    hold = program("hold")

    def start():
        fds = {0: reader, 1: "r", 2: null}
        reactor.spawnProcess(Sink(), hold, ["hold"], env=None, childFDs=fds)

    start()
    before = resident_bytes()
    for _ in range(CROWD):
        start()
    after = resident_bytes()
    os.close(writer)
    return (after - before) / CROWD


async def capture():
    start = now()
    for _ in range(COUNT):
        await utils.getProcessOutput("/bin/true")
    return (now() - start) * 1e6 / COUNT


async def run_all():
    semaphore = defer.DeferredSemaphore(2)
    start = now()
    runs = [semaphore.run(utils.getProcessOutput, "/bin/true") for _ in range(CROWD)]
    await defer.gatherResults(runs)
    return (now() - start) * 1e3


async def timers():
    # Takes a tenth of them, and multiplies by ten: all of them would take minutes.
    count = CROWD // 10
    delays = random.Random(1)
    done = defer.Deferred()
    fired = 0

    def fire():
        nonlocal fired
        fired += 1
        if fired == count // 2:
            done.callback(None)

    start = now()
    calls = [reactor.callLater(delays.random() / 10, fire) for _ in range(count)]
    for call in calls[::2]:
        call.cancel()
    await done
    return (now() - start) * 1e4


async def wake():
    done = defer.Deferred()

    def call():
        answered = threading.Semaphore(0)
        start = now()
        for _ in range(COUNT):
            reactor.callFromThread(answered.release)
            answered.acquire()
        reactor.callFromThread(done.callback, (now() - start) * 1e6 / COUNT)

    thread = threading.Thread(target=call)
    thread.start()
    figure = await done
    thread.join()
    return figure


class Echo(protocol.Protocol):
    def dataReceived(self, data):
        self.transport.write(data)


class EchoFactory(protocol.ServerFactory):
    protocol = Echo
    noisy = False


def forever():
    return defer.Deferred()


def prepare():
    """Returns the work, and the port if there is one."""
    global held
    if ROW == "spawn-1g":
        held = b"x" * (CROWD << 20)
    elif ROW == "spawn-18k":
        held = [os.open("/dev/null", os.O_RDONLY) for _ in range(CROWD)]
    elif ROW.startswith("echo"):
        held = Cat()
        reactor.spawnProcess(held, "/bin/cat", ["cat"], env=None)
        return echo, ""
    elif ROW.startswith("tcp"):
        held = reactor.listenTCP(0, EchoFactory(), backlog=1024, interface="127.0.0.1")
        return forever, held.getHost().port
    elif ROW == "idle":
        held = []
        for _ in range(CROWD):
            arguments = ["flood", "4096"]
            child = reactor.spawnProcess(Sink(), program("flood"), arguments, env=None)
            child.pauseProducing()
            held.append(child)
        return forever, ""
    works = {
        "spawn": spawn, "spawn-1g": spawn, "spawn-18k": spawn, "spawn-rate-2": rate,
        "bulk-out-128k": bulk, "bulk-out-4k": bulk, "bulk-cat": through_cat, "forward": forward,
        "forward-cpu": forward_cpu, "memory-per-child": memory, "capture": capture,
        "run-all": run_all, "timers-1m": timers, "wake": wake,
    }
    return works[ROW], ""


def say(*words):
    print(*words, flush=True)


async def answer():
    say(f"value {await work():.9f}")


def listen():
    for _ in sys.stdin:
        reactor.callFromThread(lambda: defer.ensureDeferred(answer()).addErrback(failed))
    os._exit(0)


def failed(failure):
    say("absent", failure.getErrorMessage())


def begin():
    global work
    work, port = prepare()
    say("ready", port)
    threading.Thread(target=listen, daemon=True).start()


reactor.callWhenRunning(begin)
reactor.run()
