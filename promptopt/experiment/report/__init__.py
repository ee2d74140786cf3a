"""Reports: comparisons as text, data and files."""
