"""The second reading: each module looks for something that a prompt says and the fields of the first one lack."""
