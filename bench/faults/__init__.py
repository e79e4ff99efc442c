"""The fault campaign: a run of two sites, something is broken in its midst, and what became of every unit.

What belongs here: faults, the world they are brought upon, and the judgement afterwards; nothing that the
program itself needs.
"""
