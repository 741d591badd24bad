"""Semi-synthetic tissues: planted domains, spots summed from real cells, drawn histology."""
