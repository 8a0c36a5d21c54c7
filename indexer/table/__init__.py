"""The search table, made from the ledger."""
