"""What a prompt's prose says of a value: its labels, its range, how many there are, and whether it may be null."""
