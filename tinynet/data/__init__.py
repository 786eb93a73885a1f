"""Data: batches from memory, disk or a stream; weights; small data sets."""
