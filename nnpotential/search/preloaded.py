"""What a process imports that is to do jobs: names, for whoever starts it without them."""

__all__ = ["JOBS"]

JOBS = "nnpotential.search.workers", "nnpotential.verification.kinds"
