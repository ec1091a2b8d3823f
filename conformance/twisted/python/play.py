"""Plays scripts: `play.py REACTOR CHILD WIDTH SEED..` prints one line of JSON for each seed.

REACTOR is `twisted`, `turn` or `run`. WIDTH scripts are played at a time. A seed may be a range, as
10-20, whose end is not in it.
"""

import json
import sys

import bridge.reactor
from twisted.internet import epollreactor
from twisted.python import log


def main():
    which, child, width, *ranges = sys.argv[1:]
    if which == "twisted":
        epollreactor.install()
    else:
        factories = {"turn": bridge.reactor.TurnReactor, "run": bridge.reactor.RunReactor}
        bridge.reactor.install(factories[which])
    from scripts.protocol import Player
    from scripts.script import Script
    from twisted.internet import reactor

    seeds = iter(seed for text in ranges for seed in numbers(text))
    running = set()

    def start():
        while len(running) < int(width) and (seed := next(seeds, None)) is not None:
            script = Script(seed)
            player = Player(script, ended)
            running.add(player)
            how = {"usePTY": True} if script.terminal else {"childFDs": script.fds}
            reactor.spawnProcess(player, child, [child, *script.commands], env=None, **how)
        if not running:
            reactor.stop()

    def ended(player):
        print(json.dumps({"seed": player.script.seed, **player.outcome()}), flush=True)
        reactor.callLater(0.02, forget, player)  # an event after the end would still be seen

    def forget(player):
        running.discard(player)
        start()

    log.addObserver(lambda event: event.get("isError") and print(
        log.textFromEventDict(event), file=sys.stderr))
    reactor.callWhenRunning(start)
    reactor.run()


def numbers(text):
    first, _, end = text.partition("-")
    return range(int(first), int(end) if end else int(first) + 1)


if __name__ == "__main__":
    main()
