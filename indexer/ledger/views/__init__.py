"""What other rooms read from the ledger: counts, exports, tags, prompts."""
