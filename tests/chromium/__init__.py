"""A real Chromium for tests of pages: the machine's own, driven by Playwright."""
