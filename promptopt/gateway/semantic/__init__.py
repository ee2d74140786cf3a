"""What the semantic cache is made of: embeddings, calibration, hard facts, validators."""
