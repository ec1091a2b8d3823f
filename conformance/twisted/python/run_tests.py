"""Runs tests of Twisted over the bridge: `run_tests.py MODE LIST REPORT NAME..`.

In mode `installed`, the bridge is Twisted's global reactor. In mode `built`, tests that build their
own reactors build each of the bridge's, and the global reactor is Twisted's. The tests that LIST
names by the beginning of their ids are left out. REPORT gets one line of JSON for each test.
"""

import json
import sys

from twisted.trial import itrial, reporter, runner
from twisted.trial._asyncrunner import _iterateTests
from zope.interface import implementer


@implementer(itrial.IReporter)
class Recorder(reporter.MinimalReporter):
    """Writes the outcome of each test to a file."""

    file = None
    _running = False

    def _record(self, test, outcome, detail=""):
        line = {"test": test.id(), "outcome": outcome, "detail": str(detail)}
        print(json.dumps(line), file=self.file, flush=True)

    def startTest(self, test):
        super().startTest(test)
        self._running, self._outcome = True, ("passed", "")

    def stopTest(self, test):
        super().stopTest(test)
        self._running = False
        self._record(test, *self._outcome)

    def addError(self, test, error):
        super().addError(test, error)
        self._outcome = "failed", error
        if not self._running:  # a module that cannot be imported
            self._record(test, *self._outcome)

    addFailure = addError

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._outcome = "skipped", reason

    def addUnexpectedSuccess(self, test, todo=None):
        super().addUnexpectedSuccess(test, todo)
        self._outcome = "failed", "passes, although it is marked as todo"


def not_applicable(test, names):
    """Returns the entry of the list that names the test."""
    return next((name for name in names if (test.id() + ".").startswith(name + ".")), None)


def main():
    mode, names, report, *modules = sys.argv[1:]
    from twisted.internet.test.reactormixins import ReactorBuilder

    if mode == "installed":
        from bridge.reactor import install

        install()
    reactors = ["bridge.reactor.TurnReactor", "bridge.reactor.RunReactor"]
    ReactorBuilder._reactors = reactors
    with open(names) as file:
        names = [line.split(": ")[0] for line in file if line.strip() and line[0] != "#"]
    with open(report, "w") as Recorder.file:
        suite = runner.TestLoader().loadByNames(modules)
        kept = []
        for test in _iterateTests(suite):
            entry = not_applicable(test, names)
            if entry is None:
                kept.append(test)
            else:
                line = {"test": test.id(), "outcome": "not applicable", "detail": entry}
                print(json.dumps(line), file=Recorder.file)
        trial = runner.TrialRunner(Recorder, workingDirectory=f"{report}.trial")
        trial.run(runner.TestSuite(kept))


if __name__ == "__main__":
    main()
