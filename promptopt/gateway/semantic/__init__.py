"""What the semantic cache stands on: embeddings, calibration, hard facts, validators."""
