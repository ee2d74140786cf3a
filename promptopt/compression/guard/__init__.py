"""The guard of a model's rewrites: it compares what two texts ask for, and shares nothing with rules and facts."""
