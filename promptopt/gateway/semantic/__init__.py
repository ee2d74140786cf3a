"""How answers are judged: the calibration of the semantic cache, and the validators of a cascade."""
