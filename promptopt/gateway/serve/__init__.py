"""``promptopt serve``: the layers of the gateway before programs in any language, as an OpenAI-compatible proxy.

``app`` reads requests and writes responses, ``forward`` asks the upstreams, ``server`` runs both and reloads the
configuration. Bytes are forwarded as they are; no SDK is loaded.
"""
