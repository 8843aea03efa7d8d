"""Recorded market history as files: reading them, and downloading them from a venue (docs/history.md)."""
