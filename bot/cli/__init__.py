"""The commands, and the one place that knows both a concrete venue and the runtime."""
