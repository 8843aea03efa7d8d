"""The inputs tape: everything that entered the core and what it decided, so that a session can be replayed.

`writer` keeps it, `reader` gives it back, `codec` knows the bytes of an entry, `blocks` those of a file, `frozen`
those of the engine's state with which each file begins.
"""
