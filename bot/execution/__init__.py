"""How to get there: slices, both legs at once, and the repair of what did not fill on both sides."""
