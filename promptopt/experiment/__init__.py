"""Experiments: run variants over cases, compare them, judge them."""
