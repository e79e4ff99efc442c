"""Steps every instrument may use."""

from pipeline.steps import normalise_exposure

__all__ = ["normalise_exposure"]
