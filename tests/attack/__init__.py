"""Attacks, counted: what was tried, what held, and what broke. `make attack` runs them all, the tests some of each."""
