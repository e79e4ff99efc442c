"""Where Heliolake runs: homes and their services, intake, plans and runs; neither kernels nor storage."""

from __future__ import annotations
