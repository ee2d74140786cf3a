"""The gateway: what stands between a program and a model in production.

Each wrapper is a small class with the one method ``handle(call, inner)``. ``flow`` carries out what they decide, in a
thread or in an event loop; ``assembly`` stacks them; ``client`` puts them under the OpenAI SDK, ``provider`` around any
provider.
"""
