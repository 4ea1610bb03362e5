"""The benchmarks: the load client, the measures, the report."""
