"""Signals: those that stop a reactor are claimed by procession; others have Python's handlers."""

import os
import signal


class Signals:
    """What Twisted asks for at the start of a run."""

    def __init__(self, reactor):
        self._reactor, self._claims, self._pipe = reactor, [], None

    def install(self):
        if self._pipe is not None:
            return
        wanted = [(signal.SIGTERM, self._reactor.sigTerm)]
        if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
            wanted.append((signal.SIGINT, self._reactor.sigInt))
        for number, call in wanted:
            claim = self._reactor._loop.on_signal(number, lambda n=number, call=call: call(n))
            self._claims.append(claim)
        # Python runs a handler between two turns. A byte on a pipe ends the turn that waits.
        self._pipe = read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._source = self._reactor._loop.watch(read, True, False, self._drain)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)

    def _drain(self, *ready):
        os.read(self._pipe[0], 4096)

    def uninstall(self):
        if self._pipe is None:
            return
        signal.set_wakeup_fd(-1)
        self._source.close()
        for fd in self._pipe:
            os.close(fd)
        for claim in self._claims:
            claim.close()
        self._pipe, self._claims = None, []
