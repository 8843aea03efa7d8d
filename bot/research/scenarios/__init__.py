"""Market scenarios: ugly days of recorded history and made-up ones, run by the same engine in virtual time."""
