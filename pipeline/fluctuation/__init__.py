"""The fluctuation theorem in series of pixels; what is done to single frames lies elsewhere.

A pixel's values in time are taken as states, states as a Markov chain, and each path of T transitions
produces entropy: the logarithm of its probability over that of the path walked backward. In a stationary
chain paths that produce s are e^s times as frequent as those that produce -s (detailed fluctuation theorem),
and the mean of e^-s is 1 (integral theorem). Gorobets, Borrero & Berdyugina 2016 (arXiv 1510.03566) and
Gorobets & Berdyugina 2019 (MNRAS 483, L69) apply it to the quiet Sun; Seifert 2005 (PRL 95, 040602) has the
definition.
"""

from pipeline.fluctuation.analysis import analyse
from pipeline.fluctuation.product import write
from pipeline.fluctuation.result import Fluctuation
from pipeline.fluctuation.settings import Settings

__all__ = ["Fluctuation", "Settings", "analyse", "write"]
