"""The registry of DOIs a home works with, its practice registry included; decides nothing about any DOI."""

from __future__ import annotations
