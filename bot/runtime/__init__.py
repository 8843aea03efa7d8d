"""The asyncio shell around the core: inbox, the one consumer, dispatcher, pollers, reconcile, life and death."""
