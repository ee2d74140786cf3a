"""OpenAI's API: the client, and the one reader of its usage objects and of its errors."""
