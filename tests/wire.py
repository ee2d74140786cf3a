"""What an endpoint sends, made with the SDK's own types."""

from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionMessage
from openai.types.chat.chat_completion import Choice
from openai.types.completion_usage import PromptTokensDetails


def completion(text: str, model: str = "gpt-4o-mini", prompt_tokens: int = 11, cached: int = 0) -> bytes:
    """A chat completion on the wire, made with the SDK's own types."""
    message = ChatCompletionMessage(role="assistant", content=text)
    tokens = max(1, len(text.split()))
    body = ChatCompletion(
        id="chatcmpl-1",
        created=1,
        model=model,
        object="chat.completion",
        choices=[Choice(finish_reason="stop", index=0, message=message)],
        usage=CompletionUsage(
            prompt_tokens=prompt_tokens,
            completion_tokens=tokens,
            total_tokens=prompt_tokens + tokens,
            prompt_tokens_details=PromptTokensDetails(cached_tokens=cached),
        ),
    )
    return body.model_dump_json().encode()
