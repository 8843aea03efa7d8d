"""What to hold: candidates with their carry, and how much of each. Scores are floats; money is not made here."""
