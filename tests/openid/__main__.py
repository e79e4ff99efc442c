"""Install the provider, for machines that are to run its tests: python -m tests.openid."""

from __future__ import annotations

import sys

from tests.npm import absent
from tests.openid.provider import install

if absent():
    print(f"{absent()} Tests with a real OpenID provider will be skipped.", file=sys.stderr)
else:
    print(install())
