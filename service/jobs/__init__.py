"""Training jobs that survive crashes and restarts: the store, the supervisor and the trainer process.

The database is the only source of truth. Nothing here knows the web framework. Every function is synchronous,
and may be called from any thread.
"""
