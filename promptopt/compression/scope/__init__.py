"""Which sentences of a prompt instruct the model, so that rules may shorten them."""
