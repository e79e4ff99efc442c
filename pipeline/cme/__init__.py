"""Coronal mass ejections in a coronagraph's series; what is done to single images lies elsewhere.

A series in polar coordinates (height × position angle) is compared with what it was shortly before; a front
that moves outwards is a ridge in the plane of height and time. As CACTus does it (Robbrecht & Berghmans 2004,
A&A 425, 1097), lines of all speeds are tried at every position angle, and angles in which one begins at about
the same time are one ejection. Its front is then followed frame by frame, and a line and a parabola fitted to
its heights, as in the CDAW catalogue (Yashiro et al. 2004, JGR 109, A07105).
"""

from pipeline.cme.ejection import Ejection, found_in
from pipeline.cme.series import Search, Series

__all__ = ["Ejection", "Search", "Series", "found_in"]
