"""Readers of request logs: each makes :class:`~promptopt.auditing.log.LoggedCall` rows of one format.

A reader is registered as an entry point in the group ``promptopt.readers``; it has ``recognises(record)``, which looks
at the first records of a file, and ``calls(record)``, which gives the calls of one record.
"""
