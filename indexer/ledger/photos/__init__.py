"""Files and photos as the ledger knows them."""
