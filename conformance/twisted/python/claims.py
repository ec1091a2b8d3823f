"""The claims of Twisted's `MockProcessTests`, on real system calls, as root.

That class replaces `os.fork` and more, which nothing here calls.
"""

import os
import pty
import resource
import signal
import unittest as plain

from twisted.internet import defer, error, reactor
from twisted.internet.protocol import ProcessProtocol
from twisted.trial import unittest


class Ending(ProcessProtocol):
    def __init__(self):
        self.ended, self.made, self.err = defer.Deferred(), False, b""

    def connectionMade(self):
        self.made = True

    def errReceived(self, data):
        self.err += data

    def processEnded(self, reason):
        self.ended.callback(reason.value)


def fds():
    return sorted(os.listdir("/proc/self/fd"))


@plain.skipUnless(os.geteuid() == 0, "root")
class Claims(unittest.TestCase):
    def refused(self, errno, **kw):
        p, before = Ending(), fds()
        e = self.assertRaises(OSError, reactor.spawnProcess, p, "/bin/true", ["true"], None, **kw)
        self.assertEqual((e.errno, p.made, fds()), (errno, False, before))

    def limited(self, what, value):
        limits = resource.getrlimit(what)
        resource.setrlimit(what, (value, limits[1]))
        self.addCleanup(resource.setrlimit, what, limits)

    def unprivileged(self):
        """A user without processes to spare: clone fails with EAGAIN."""
        os.setresuid(4242, 4242, 0)
        self.addCleanup(os.setresuid, 0, 0, 0)
        self.limited(resource.RLIMIT_NPROC, 0)

    def test_forkErrorClosesPipes(self):
        self.unprivileged()
        self.refused(11)

    def test_forkErrorLeavesGivenFDs(self):
        given = os.pipe()
        self.unprivileged()
        self.refused(11, childFDs={0: given[0], 1: "r", 2: given[1]})
        for fd in given:
            os.close(fd)

    def test_forkErrorClosesPTY(self):
        self.unprivileged()
        self.refused(11, usePTY=True)

    def test_forkErrorLeavesGivenPTY(self):
        master, slave = pty.openpty()
        self.unprivileged()
        self.refused(11, usePTY=(master, slave, "unused"))
        os.write(slave, b"x")
        self.assertEqual(os.read(master, 1), b"x")
        os.close(master), os.close(slave)

    def test_pipeErrorClosesPipes(self):
        self.limited(resource.RLIMIT_NOFILE, len(fds()) + 2)  # the first pipe succeeds
        self.refused(24)

    def test_execError(self):
        p, before = Ending(), fds()
        self.assertRaises(FileNotFoundError, reactor.spawnProcess, p, "/no/such", ["x"], None)
        self.assertEqual((p.made, fds()), (False, before))

    @defer.inlineCallbacks
    def ids(self, **kw):
        p, ours = Ending(), (os.getresuid(), os.getresgid(), os.getgroups())
        code = 'import os; os._exit((os.getresuid(), os.getresgid(), os.getgroups()) != ((1,)*3, (1,)*3, [1]))'
        reactor.spawnProcess(p, "/usr/bin/python3", ["python3", "-c", code], {}, uid=1, gid=1, **kw)
        self.assertEqual((os.getresuid(), os.getresgid(), os.getgroups()), ours)
        reason = yield p.ended
        self.assertEqual((reason.exitCode, p.err), (0, b""))

    def test_setUid(self):
        return self.ids()

    def test_PTYSetUid(self):
        return self.ids(usePTY=True)

    @defer.inlineCallbacks
    def test_kill(self):
        p = Ending()
        reactor.spawnProcess(p, "/bin/sleep", ["sleep", "9"], None).signalProcess("KILL")
        reason = yield p.ended
        self.assertEqual(reason.signal, signal.SIGKILL)
        self.assertRaises(error.ProcessExitedAlready, p.transport.signalProcess, "KILL")

    @defer.inlineCallbacks
    def test_errorInKill(self):
        p = Ending()
        t = reactor.spawnProcess(p, "/bin/sleep", ["sleep", "9"], None)
        os.setresuid(4242, 4242, 0)
        try:
            self.assertRaises(PermissionError, t.signalProcess, "KILL")
        finally:
            os.setresuid(0, 0, 0)
        t.signalProcess("KILL")
        yield p.ended

    @defer.inlineCallbacks
    def test_statusTakenByAnother(self):
        """In Twisted, the process never ends. Here it ends, with its status if the kernel keeps it."""
        p = Ending()
        t = reactor.spawnProcess(p, "/bin/true", ["true"], None)
        os.waitpid(t.pid, 0)
        reason = yield p.ended
        status = reason.exitCode, reason.signal, reason.status
        self.assertIn(status, [(0, None, 0), (None, None, None)])
