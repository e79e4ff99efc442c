"""Steps every instrument may use; those of one instrument lie with it."""

from pipeline.steps import (
    align_to_reference,
    deconvolve_psf,
    disambiguate_azimuth,
    find_ejections,
    invert_helium_slab,
    invert_milne_eddington,
    limb_fit,
    normalise_exposure,
    polar_map,
    register_disk,
)

__all__ = [
    "align_to_reference",
    "deconvolve_psf",
    "disambiguate_azimuth",
    "find_ejections",
    "invert_helium_slab",
    "invert_milne_eddington",
    "limb_fit",
    "normalise_exposure",
    "polar_map",
    "register_disk",
]
