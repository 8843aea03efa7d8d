"""The planner behind `carrybot calc`: inputs in, sheets of figures out. Formulas are in `bot.domain.planning`."""
