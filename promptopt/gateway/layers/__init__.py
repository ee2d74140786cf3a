"""One file for each layer: what it decides about a call."""
