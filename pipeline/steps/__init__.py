"""Steps every instrument may use; those of one instrument lie with it."""

from pipeline.steps import limb_fit, normalise_exposure, register_disk

__all__ = ["limb_fit", "normalise_exposure", "register_disk"]
