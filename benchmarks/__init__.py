"""What is measured, and not tested: `python -m benchmarks.NAME` from the root of the repository."""
