"""The two reactors."""

from builtins import callable as is_callable
from functools import partial

from bridge.descriptors import Descriptors
from bridge.process import Process
from bridge.signals import Signals
from procession_twisted import Loop
from twisted.internet import error
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorProcess
from twisted.internet.main import installReactor
from twisted.internet.posixbase import PosixReactorBase
from twisted.python import log, threadable
from zope.interface import implementer


def logged(call, *args, **kw):
    """Calls, and logs an exception, because the loop has no caller for it."""
    try:
        return call(*args, **kw)
    except BaseException:
        log.err()


@implementer(IDelayedCall)
class DelayedCall:
    """A timer of procession."""

    def __init__(self, reactor, delay, call):
        self._reactor, self._call, self._time = reactor, call, reactor.seconds() + delay
        self._timer = reactor._loop.call_later(delay, self._run)
        reactor._calls.add(self)

    def _run(self):
        self._reactor._calls.discard(self)
        logged(self._call)

    def _did(self, error_name):
        if error_name:
            raise getattr(error, error_name)()

    def getTime(self):
        return self._time

    def cancel(self):
        self._did(self._timer.cancel())
        self._reactor._calls.discard(self)

    def reset(self, seconds):
        self._did(self._timer.reset(seconds))
        self._time = self._reactor.seconds() + seconds

    def delay(self, seconds):
        self._did(self._timer.delay(seconds))
        self._time += seconds

    def active(self):
        return self._timer.active()


@implementer(IReactorProcess)
class TurnReactor(Descriptors, PosixReactorBase):
    """Turns the loop until it is told to stop. Twisted fires the system events."""

    def __init__(self):
        self._loop = Loop()
        self._children, self._calls = set(), set()
        super().__init__()

    def installWaker(self):
        self._waker = self._loop.waker()

    def wakeUp(self):
        self._waker.wake()

    def _signalsFactory(self):
        return Signals(self)

    def callFromThread(self, callable, *args, **kw):
        assert is_callable(callable), f"{callable} is not callable"
        self._waker.call(partial(logged, callable, *args, **kw))

    def callLater(self, delay, callable, *args, **kw):
        assert delay >= 0, f"{delay} is not greater than or equal to 0 seconds"
        return DelayedCall(self, delay, partial(callable, *args, **kw))

    def getDelayedCalls(self):
        return [call for call in self._calls if call.active()]

    def timeout(self):
        return 0 if self._justStopped else None

    def doIteration(self, delay):
        self._loop.turn(delay)

    def iterate(self, delay=0.0):
        self.runUntilCurrent()
        self.doIteration(delay)

    def disconnectAll(self):
        super().disconnectAll()
        for child in list(self._children):
            child.abortAll()
        self.doIteration(0)

    def spawnProcess(self, processProtocol, executable, args=(), env={}, path=None, uid=None,
                     gid=None, usePTY=0, childFDs=None):
        if usePTY and childFDs is not None:
            raise ValueError("Using childFDs is not supported with usePTY=True.")
        return Process(
            self, processProtocol, executable, args, env, path, uid, gid, usePTY, childFDs
        )


class RunReactor(TurnReactor):
    """Has procession's `run`, and its system events."""

    def run(self, installSignalHandlers=True):
        if self._started:
            raise error.ReactorAlreadyRunning()
        if self._startedBefore:  # Twisted's rule; a loop of procession may run again
            raise error.ReactorNotRestartable()
        self._installSignalHandlers = installSignalHandlers
        self._signals = self._makeSignalHandling(installSignalHandlers)
        self._started, self._stopped = True, False
        threadable.registerAsIOThread()
        try:
            self._loop.run()
        finally:
            self._signals.uninstall()

    def stop(self):
        if not self._loop.stop():
            raise error.ReactorNotRunning("Can't stop reactor that isn't running.")
        self._startedBefore = True

    def iterate(self, delay=0.0):
        self.doIteration(delay)

    def disconnectAll(self):
        if self._started or not self._startedBefore:
            super().disconnectAll()
        else:  # during the shutdown, procession itself closes what children have open
            ReactorBase.disconnectAll(self)

    def callWhenRunning(self, callable, *args, **kw):
        self._loop.call_when_running(partial(logged, callable, *args, **kw))

    def addSystemEventTrigger(self, phase, eventType, callable, *args, **kw):
        def trigger(finished):
            result = logged(callable, *args, **kw)
            if isinstance(result, Deferred) and phase == "before":
                result.addBoth(lambda _: finished.complete())
                return True
            return False

        return self._loop.on_event(phase, eventType, trigger)

    def removeSystemEventTrigger(self, triggerID):
        if not triggerID.remove():
            raise ValueError("no such trigger")


def install(factory=TurnReactor):
    """Makes a reactor and installs it as Twisted's global one."""
    reactor = factory()
    installReactor(reactor)
    return reactor
