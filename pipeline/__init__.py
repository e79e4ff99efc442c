"""What is done to images: frames, steps, recipes, instruments and kernels.

Arrays and headers in, arrays and headers out. Nothing in this package knows
storage, a database or a scheduler, so all of it works in a notebook with
nothing running.
"""

from pipeline import sources
from pipeline.apply import apply
from pipeline.errors import BadInput, Fatal, Retriable
from pipeline.frame import Frame
from pipeline.instrument import Instrument
from pipeline.quality import Quality
from pipeline.recipe import Recipe
from pipeline.reducing import reduction
from pipeline.reduction import Reduced, StackBlock
from pipeline.registry import recognise
from pipeline.stack import frames_of, stack_of
from pipeline.step import Output, Params, ReferenceNeed, References, gather, step

sources.note_pipeline()

__all__ = [
    "BadInput",
    "Fatal",
    "Frame",
    "Instrument",
    "Output",
    "Params",
    "Quality",
    "Recipe",
    "Reduced",
    "ReferenceNeed",
    "References",
    "Retriable",
    "StackBlock",
    "apply",
    "frames_of",
    "gather",
    "recognise",
    "reduction",
    "stack_of",
    "step",
]
