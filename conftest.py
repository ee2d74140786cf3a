"""What all tests share: pytester, and a hypothesis profile without deadlines."""

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

# A slow machine is not a failure; CI draws the same examples each time.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")
