"""The ledger: its transitions one by one."""
