"""The built-in rules, one small file each."""
