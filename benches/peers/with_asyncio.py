"""asyncio at the rows of the comparison.

    with_asyncio.py ROW PROGRAMS COUNT CROWD

Prepares itself, prints `ready`, and answers each line of its standard input with `value FIGURE`.
"""

import asyncio
import os
import random
import resource
import sys
import threading
import time
from asyncio.subprocess import DEVNULL, PIPE

ROW, PROGRAMS, COUNT, CROWD = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
CHUNK = 4096 if ROW == "bulk-out-4k" else 128 * 1024
now = time.perf_counter


def program(name):
    return os.path.join(PROGRAMS, name)


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident_bytes():
    with open("/proc/self/smaps_rollup") as rollup:
        return next(int(line.split()[1]) * 1024 for line in rollup if line.startswith("Rss:"))


async def spawn_once():
    options = {}
    if ROW == "spawn-1g":
        reader, writer = os.pipe()
        options = {"start_new_session": True, "pass_fds": [writer]}
    child = await asyncio.create_subprocess_exec(
        program("exit0"), stdin=PIPE, stdout=PIPE, stderr=PIPE, **options
    )
    await child.communicate()
    if options:
        os.close(reader)
        os.close(writer)


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
    await asyncio.gather(half(), half())
    return COUNT / (now() - start)


async def read_all(stream):
    received = 0
    while data := await stream.read(256 * 1024):
        received += len(data)
    return received


async def flood():
    return await asyncio.create_subprocess_exec(
        program("flood"), str(CHUNK), str(COUNT // CHUNK), stdout=PIPE, limit=256 * 1024
    )


async def bulk():
    start = now()
    child = await flood()
    assert await read_all(child.stdout) == COUNT
    await child.wait()
    return COUNT / 1e9 / (now() - start)


async def through_cat():
    start = now()
    child = await asyncio.create_subprocess_exec(
        program("cat"), stdin=PIPE, stdout=PIPE, limit=256 * 1024
    )

    async def feed():
        chunk = b"x" * CHUNK
        for _ in range(COUNT // CHUNK):
            child.stdin.write(chunk)
            await child.stdin.drain()
        child.stdin.close()

    received, _ = await asyncio.gather(read_all(child.stdout), feed())
    assert received == COUNT
    await child.wait()
    return COUNT / 1e9 / (now() - start)


async def move_all():
    sink = await asyncio.create_subprocess_exec(program("sink"), stdin=PIPE)
    child = await flood()
    while data := await child.stdout.read(256 * 1024):
        sink.stdin.write(data)
        await sink.stdin.drain()
    sink.stdin.close()
    await child.wait()
    await sink.wait()


async def forward():
    start = now()
    await move_all()
    return COUNT / 1e9 / (now() - start)


async def forward_cpu():
    start = cpu_seconds()
    await move_all()
    return (cpu_seconds() - start) * 1e3 / (COUNT / 1e9)


cat = None


async def echo():
    start = now()
    for _ in range(COUNT):
        cat.stdin.write(b"x")
        await cat.stdout.readexactly(1)
    return (now() - start) * 1e6 / COUNT


async def memory():
    reader, writer = os.pipe()

    async def hold():
        return await asyncio.create_subprocess_exec(
            program("hold"), stdin=reader, stdout=PIPE, stderr=DEVNULL
        )

    children = [await hold()]
    before = resident_bytes()
    children += [await hold() for _ in range(CROWD)]
    after = resident_bytes()
    os.close(writer)
    return (after - before) / CROWD


async def capture_once():
    child = await asyncio.create_subprocess_exec("/bin/true", stdout=PIPE, stderr=PIPE)
    await child.communicate()


async def capture():
    start = now()
    for _ in range(COUNT):
        await capture_once()
    return (now() - start) * 1e6 / COUNT


async def run_all():
    semaphore = asyncio.Semaphore(2)

    async def one():
        async with semaphore:
            await capture_once()

    start = now()
    await asyncio.gather(*(one() for _ in range(CROWD)))
    return (now() - start) * 1e3


async def timers():
    # Takes a tenth of them, and multiplies by ten: all of them would take minutes.
    count = CROWD // 10
    loop = asyncio.get_running_loop()
    delays = random.Random(1)
    fired = 0

    def fire():
        nonlocal fired
        fired += 1

    start = now()
    handles = [loop.call_later(delays.random() / 10, fire) for _ in range(count)]
    for handle in handles[::2]:
        handle.cancel()
    while fired < count // 2:
        await asyncio.sleep(0.001)
    return (now() - start) * 1e4


async def wake():
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def call():
        answered = threading.Semaphore(0)
        start = now()
        for _ in range(COUNT):
            loop.call_soon_threadsafe(answered.release)
            answered.acquire()
        figure = (now() - start) * 1e6 / COUNT
        loop.call_soon_threadsafe(done.set_result, figure)

    thread = threading.Thread(target=call)
    thread.start()
    figure = await done
    thread.join()
    return figure


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def forever():
    await asyncio.Event().wait()


async def prepare():
    """Returns the work, and the port if there is one."""
    global cat, held
    loop = asyncio.get_running_loop()
    if ROW == "spawn-1g":
        held = b"x" * (CROWD << 20)
    elif ROW == "spawn-18k":
        held = [os.open("/dev/null", os.O_RDONLY) for _ in range(CROWD)]
    elif ROW.startswith("echo"):
        cat = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
        return echo, ""
    elif ROW.startswith("tcp"):
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        held = server
        return forever, server.sockets[0].getsockname()[1]
    elif ROW == "idle":
        held = []

        class Deaf(asyncio.SubprocessProtocol):
            pass

        for _ in range(CROWD):
            transport, _ = await loop.subprocess_exec(
                Deaf, program("flood"), "4096", stdin=None, stdout=PIPE, stderr=None
            )
            transport.get_pipe_transport(1).pause_reading()
            held.append(transport)
        return forever, ""
    works = {
        "spawn": spawn, "spawn-1g": spawn, "spawn-18k": spawn, "spawn-rate-2": rate,
        "bulk-out-128k": bulk, "bulk-out-4k": bulk, "bulk-cat": through_cat, "forward": forward,
        "forward-cpu": forward_cpu, "memory-per-child": memory, "capture": capture,
        "run-all": run_all, "timers-1m": timers, "wake": wake,
    }
    return works[ROW], ""


async def main():
    work, port = await prepare()
    print("ready", port, flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(f"value {await work():.9f}", flush=True)


if hasattr(asyncio, "PidfdChildWatcher") and sys.version_info < (3, 12):
    # Later versions use this by default. The older default is a thread for each child.
    class Watcher(asyncio.PidfdChildWatcher):
        pass

    asyncio.set_child_watcher(Watcher())
asyncio.run(main())
