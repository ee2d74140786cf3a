"""From a freeform prompt to one that asks for strict JSON."""
