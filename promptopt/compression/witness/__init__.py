"""Witnesses of an edit that share nothing with the rules: the order of words, and the parse."""
