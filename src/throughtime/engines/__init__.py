"""Engines run the time loops; the layers do not know which one answers.

========== ==========================================================================
choice     the engine in use, and its ``unroll`` and ``bptt``
native     the loops of ``native/``; those of :mod:`throughtime.bptt` are the reference
scan       those of cells without W_h
options    those of cells with options, and of states that are clipped or kept
forms      which kernel runs a cell
========== ==========================================================================
"""

from throughtime.engines.choice import LOOPS, bptt, engine, unroll

__all__ = ["LOOPS", "bptt", "engine", "unroll"]
