"""The transport that `spawnProcess` returns, over a child of procession."""

import os
import signal
from types import SimpleNamespace

from twisted.internet import error, process
from twisted.internet.interfaces import IProcessTransport
from twisted.python import failure, log
from zope.interface import implementer

DEFAULT_FDS = {0: "w", 1: "r", 2: "r"}


class Ended:
    """Replaces the child after its end, because a child may be dropped only in its own thread."""

    pid = None

    def write(self, fd, data):
        raise KeyError(fd)

    def signal(self, number):
        raise ProcessLookupError()

    def register_producer(self, fd, streaming, producer):
        return False

    def close(self, *args):
        pass

    abort = lose_connection = pause = resume = unregister_producer = close


def request(executable, args, env, path, uid, gid, usePTY, childFDs):
    """Returns the arguments of `spawnProcess` as the extension reads them."""
    for kind in childFDs.values():
        assert kind in ("r", "w") or type(kind) is int, f"{kind!r} should be an int"
    text = os.fsencode
    return SimpleNamespace(
        program=text(executable),
        args=[text(arg) for arg in args],
        env=None if env is None else [(text(key), text(value)) for key, value in env.items()],
        cwd=text(path) if path else None,
        uid=uid,
        gid=gid,
        terminal=bool(usePTY),
        pair=tuple(usePTY[:2]) if isinstance(usePTY, (tuple, list)) else None,
        fds=list(childFDs.items()),
    )


@implementer(IProcessTransport)
class Process:
    """A child. The extension calls the first five methods."""

    proto = status = _child = None

    def __init__(self, reactor, proto, executable, args, env, path, uid, gid, usePTY, childFDs):
        self.proto, self._reactor, self._terminal = proto, reactor, bool(usePTY)
        if usePTY:
            childFDs = {}
        elif childFDs is None:
            childFDs = DEFAULT_FDS
        self._open = {fd: kind for fd, kind in childFDs.items() if kind in ("r", "w")}
        reactor._loop.spawn(
            self, request(executable, args, env, path, uid, gid, usePTY, childFDs)
        )

    def made(self, child):
        self._child, self._pid = child, child.pid
        self._reactor._children.add(self)
        process.reapProcessHandlers[self._pid] = self
        self._tell("makeConnection", self)

    def data(self, fd, data):
        # As in Twisted, an exception costs the descriptor.
        if not self._tell("childDataReceived", fd, data):
            self._child.lose_connection() if self._terminal else self._child.close(fd)

    def lost(self, fd):
        self._open.pop(fd, None)
        if not self._terminal:  # Twisted reports no loss of a terminal
            self._tell("childConnectionLost", fd)

    def exited(self, status):
        del process.reapProcessHandlers[self._pid]
        self.status = status
        self._tell("processExited", self._reason())

    def ended(self):
        self._reactor._children.discard(self)
        self._child = Ended()
        self._tell("processEnded", self._reason())
        self.proto = None

    def _tell(self, event, *args):
        """Calls the protocol. Returns false if it raises an exception, which is logged."""
        if self.proto is None:
            return True
        try:
            getattr(self.proto, event)(*args)
        except BaseException:
            log.err()
            return False
        return True

    def _reason(self):
        status = self.status
        if status is None:  # somebody else took the status
            return failure.Failure(error.ProcessTerminated())
        if status == 0:
            return failure.Failure(error.ProcessDone(status))
        if os.WIFEXITED(status):
            return failure.Failure(error.ProcessTerminated(os.WEXITSTATUS(status), None, status))
        return failure.Failure(error.ProcessTerminated(None, os.WTERMSIG(status), status))

    def reapProcess(self):
        """Called at the end of Twisted's tests, for each entry of `reapProcessHandlers`."""
        self._reactor.doIteration(0)

    # IProcessTransport, and what Twisted's own class has besides.

    @property
    def pid(self):
        return self._child.pid

    @property
    def pipes(self):
        return self._open

    def writeToChild(self, childFD, data):
        if not isinstance(data, bytes):
            raise TypeError("Data must be bytes")
        try:
            self._child.write(childFD, data)
        except KeyError:
            if childFD not in self._open:  # else it is closed, and the loss not yet reported
                raise

    def write(self, data):
        try:
            self.writeToChild(0, data)
        except KeyError:
            pass

    def writeSequence(self, seq):
        for data in seq:
            self.write(data)

    def closeChildFD(self, descriptor):
        self._child.close(descriptor)

    def closeStdin(self):
        self.closeChildFD(0)

    def closeStdout(self):
        self.closeChildFD(1)

    def closeStderr(self):
        self.closeChildFD(2)

    def loseConnection(self):
        self._child.lose_connection()

    def abortAll(self):
        for fd in list(self._open):
            self._child.abort(fd)
        if self._terminal:
            self._child.lose_connection()

    def signalProcess(self, signalID):
        if isinstance(signalID, str):
            signalID = getattr(signal, f"SIG{signalID}")
        try:
            self._child.signal(signalID)
        except ProcessLookupError:
            raise error.ProcessExitedAlready()

    def pauseProducing(self):
        self._child.pause()

    def resumeProducing(self):
        self._child.resume()

    def stopProducing(self):
        self.loseConnection()

    def registerProducer(self, producer, streaming):
        if not self._child.register_producer(0, bool(streaming), producer):
            producer.stopProducing()

    def unregisterProducer(self):
        self._child.unregister_producer(0)

    def getHost(self):
        raise NotImplementedError()

    def getPeer(self):
        raise NotImplementedError()
