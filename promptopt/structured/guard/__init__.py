"""What a reading, of a model or of the rules, must prove by the prompt's own words before it becomes a proposal."""
