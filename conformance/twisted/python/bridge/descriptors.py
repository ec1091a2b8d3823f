"""Twisted's readers and writers, over sources of procession."""

from twisted.internet import posixbase
from twisted.internet.interfaces import IReactorFDSet
from twisted.python import log
from zope.interface import implementer


@implementer(IReactorFDSet)
class Descriptors(posixbase._PollLikeMixin):
    """Needs `self._loop`. Twisted's mixin turns readiness into calls of a reader or writer."""

    _POLL_DISCONNECTED, _POLL_IN, _POLL_OUT = 1, 2, 4

    def __init__(self):
        self._reads, self._writes = {}, {}  # the number of a descriptor, and its owner
        self._sources = {}
        self._continuousPolling = posixbase._ContinuousPolling(self)
        super().__init__()

    def _ready(self, fd, readable, writable, gone):
        owner = self._reads.get(fd) or self._writes.get(fd)
        event = 0
        if fd in self._reads:
            event |= self._POLL_IN if readable else 0
        elif gone:
            event |= self._POLL_DISCONNECTED
        if fd in self._writes and writable:
            event |= self._POLL_OUT
        if owner is not None and event:
            log.callWithLogger(owner, self._doReadOrWrite, owner, fd, event)

    def _update(self, fd):
        wanted = fd in self._reads, fd in self._writes
        if fd not in self._sources:
            ready = lambda *what: self._ready(fd, *what)
            self._sources[fd] = self._loop.watch(fd, *wanted, ready)
        elif any(wanted):
            self._sources[fd].set(*wanted)
        else:
            self._sources.pop(fd).close()

    def _add(self, owners, owner, poll):
        fd = owner.fileno()
        if fd in owners:
            return
        owners[fd] = owner
        try:
            self._update(fd)
        except PermissionError:
            del owners[fd]
            poll(owner)  # a regular file, which epoll refuses
        except OSError:
            del owners[fd]
            raise

    def _remove(self, owners, owner):
        fd = owner.fileno()
        if fd == -1:
            fd = next((fd for fd, known in owners.items() if known is owner), -1)
        if owners.pop(fd, None) is not None:
            self._update(fd)

    def addReader(self, reader):
        self._add(self._reads, reader, self._continuousPolling.addReader)

    def addWriter(self, writer):
        self._add(self._writes, writer, self._continuousPolling.addWriter)

    def removeReader(self, reader):
        self._continuousPolling.removeReader(reader)
        self._remove(self._reads, reader)

    def removeWriter(self, writer):
        self._continuousPolling.removeWriter(writer)
        self._remove(self._writes, writer)

    def removeAll(self):
        removed = self._removeAll(self.getReaders(), self.getWriters())
        return removed + self._continuousPolling.removeAll()

    def getReaders(self):
        return list(self._reads.values()) + self._continuousPolling.getReaders()

    def getWriters(self):
        return list(self._writes.values()) + self._continuousPolling.getWriters()
