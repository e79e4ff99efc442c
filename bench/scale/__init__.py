"""How runs, plans, the ledger and releases behave from a thousand units to a million."""
