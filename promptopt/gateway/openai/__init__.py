"""The OpenAI SDK's wire: bodies and events, the transport, the clients."""
