"""Money: approvals, caps, accounts, and what answers cost so far."""
