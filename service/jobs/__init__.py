"""Training jobs that survive: the store, the supervisor, the trainer process, the catalogue of models.

The database is the truth. Nothing here knows the web framework; every function is synchronous and
may be called from any thread.
"""
