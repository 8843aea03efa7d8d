"""Double-entry books: every movement of money is a transaction that sums to zero for each asset."""
