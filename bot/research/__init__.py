"""Questions asked of the same core offline: virtual sessions on the simulated exchange, without wire or clock."""
