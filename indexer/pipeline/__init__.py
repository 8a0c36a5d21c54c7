"""The order of steps: crawl, plan, approve, ask, collect, project. Resume = run again.

The rooms of this package are the only users of the ledger's transitions.
"""
