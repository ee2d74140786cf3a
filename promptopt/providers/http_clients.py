"""The HTTP clients of providers: made, or refused with what is wrong, and named without passwords."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from promptopt.errors import ProviderUnusable

# RFC 9110, sections 5.1 and 5.5.
_HEADER_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"(?:[!-~]+(?:[ \t]+[!-~]+)*)?")


def are_headers(headers: Mapping[str, str]) -> bool:
    """Whether HTTP takes these names and values. An HTTP library's own error would show the key that is in them."""
    return all(_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value) for name, value in headers.items())


@contextmanager
def client_errors() -> Iterator[None]:
    """Around the making of an HTTP client: what is wrong with the proxies and certificates of the environment.

    Raises:
        ProviderUnusable: A library cannot make a client of them.
    """
    try:
        yield
    except (ProviderUnusable, UnicodeError):
        raise
    except OSError as error:
        raise ProviderUnusable(
            f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read: {error.strerror or error}"
        ) from error
    except ImportError as error:
        raise ProviderUnusable(
            "ALL_PROXY, HTTP_PROXY or HTTPS_PROXY names a SOCKS proxy, which needs the package socksio\n"
            "  pip install socksio, or name another proxy"
        ) from error
    except Exception as error:
        # An address that is none is an exception of its own in each library.
        if not isinstance(error, ValueError) and type(error).__name__ != "InvalidURL":
            raise
        raise ProviderUnusable(
            f"ALL_PROXY, HTTP_PROXY or HTTPS_PROXY names a proxy that cannot be used: {error}"
        ) from error


def shown_url(url: str) -> str:
    """An address for messages, without the password in it."""
    return re.sub(r"(?<=://)[^/?#]*@", "", url)


def named_proxy(url: str) -> str | None:
    """The proxy that the environment names for an address, without its password; ``None`` if it names none."""
    from urllib.request import getproxies, proxy_bypass

    parts, proxies = urlsplit(url), getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return None if not proxy or proxy_bypass(parts.netloc) else shown_url(proxy)
