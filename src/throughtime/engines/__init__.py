"""Engines run the time loops; the layers do not know which one answers.

========== ==========================================================================
choice     the engine in use, and its ``unroll`` and ``bptt``
native     the loops of ``native/``; those of :mod:`throughtime.bptt` are the reference
========== ==========================================================================
"""

from throughtime.engines.choice import LOOPS, bptt, engine, unroll

__all__ = ["LOOPS", "bptt", "engine", "unroll"]
