"""Adapters to exchanges: contract sizes, symbols, signatures and wire formats end here."""
