"""``promptopt init``: the prompts of an existing repository as files, with a suite, limits, a lock and CI."""
