"""Side by side with peers: each module is one comparison, `python -m benchmarks.<name>`."""
