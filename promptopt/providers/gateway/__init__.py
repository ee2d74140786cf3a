"""The gateway: what stands between a program and a model in production.

Each wrapper is a small class with the one method ``handle(call, inner)``; :mod:`flow` carries what they decide out in
a thread or in an event loop; :mod:`assembly` stacks them; :mod:`client` puts them under the OpenAI SDK and :mod:`provider`
around any provider.
"""
