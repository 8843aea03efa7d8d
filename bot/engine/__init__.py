"""The one way in: `step(state, event, at)` and the life of orders and hedges behind it."""
