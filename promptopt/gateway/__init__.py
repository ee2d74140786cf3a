"""The gateway: what is between a program and a model in production.

Each layer is a small class with the one method ``handle(call, inner)``. ``flow`` carries out what they decide, in a
thread or in an event loop, and ``simulate`` on a clock of its own; ``assembly`` stacks them; ``openai.client`` puts
them under the OpenAI SDK, ``provider`` around any provider.
"""
