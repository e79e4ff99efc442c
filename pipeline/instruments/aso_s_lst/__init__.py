"""ASO-S LST: two full-disk telescopes and two coronagraphs in Lyman alpha and white light, at every level."""

from pipeline.instruments.aso_s_lst.psf import PSF

__all__ = ["PSF"]
