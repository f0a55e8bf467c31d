"""One file for each thing that is measured: ``measure()`` yields its results."""
