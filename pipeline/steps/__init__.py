"""Steps every instrument may use; those of one instrument lie with it."""

from pipeline.steps import normalise_exposure

__all__ = ["normalise_exposure"]
