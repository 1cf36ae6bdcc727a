"""The other servers, one module each: ``python -m benchmarks.serving.peers.NAME PORT MODEL THREADS``.

All share ``network``: the same weights on ``torch.nn``, channels last, and the library's codec.
Each is set up as well as we know; what a module fixes is what short trials found fastest.
"""
