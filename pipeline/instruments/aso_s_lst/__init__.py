"""ASO-S LST: two full-disk telescopes and two coronagraphs in Lyman alpha and white light, at every level."""
