"""Install Helm, for machines that are to run the tests of the chart: python -m tests.helm."""

from __future__ import annotations

import sys

from tests.helm.tool import found, install, unfit

if found():
    print(found())
elif unfit():
    print(f"{unfit()} Tests of the chart will be skipped.", file=sys.stderr)
else:
    print(install())
