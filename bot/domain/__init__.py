"""Value types, events, actions and formulas; the standard library only, no clock, no input or output."""
