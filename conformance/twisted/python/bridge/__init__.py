"""Reactors of Twisted whose loop, descriptors, timers, signals and children are procession's.

`TurnReactor` drives the loop by turns, as Twisted's reactors do, so it can crash and start again.
`RunReactor` has procession's `run` and system events too. Neither uses Twisted's `Process`.
"""
