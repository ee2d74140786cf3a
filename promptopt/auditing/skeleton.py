"""A log that may be shown: counts, times, models and salted digests; no text, no name of a user.

The audit of a skeleton is that of its log for every strategy that needs no text.
"""

from __future__ import annotations

import json
import secrets
import tempfile
from dataclasses import asdict
from hashlib import blake2b
from itertools import pairwise
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from promptopt.auditing.accounting import Accounting, Settled
from promptopt.auditing.audit import AuditInput
from promptopt.auditing.log import NAMES, CallLog, in_order
from promptopt.call_options import REASONING_EFFORTS
from promptopt.errors import InputError, MissingExtra
from promptopt.files import show_path

FORMAT = "promptopt-skeleton-1"
_HIDDEN = ("prompt", "tag", "user", "team", "session")
_PLAIN = (
    "at", "input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "output_tokens",
    "reasoning_tokens", "total_tokens", "said_usd", "latency_s", "cap", "block_tokens", "failed", "cut_off", "own_hit",
    "waits",
)  # fmt: skip


def write_skeleton(given: AuditInput, path: Path, *, salt: bytes | None = None) -> None:
    """Write the skeleton of a log as Parquet.

    Args:
        salt: Of the digests; by default a new one that is kept nowhere.

    Raises:
        MissingExtra: DuckDB is not installed.
    """
    duckdb, log = _duckdb(), given.log
    salt = salt or secrets.token_bytes(16)
    columns: dict[str, Any] = {name: getattr(log, name) for name in _PLAIN}
    for name in NAMES:
        texts = [_hidden(text, salt) if _is_hidden(name, text) else text for text in log.names[name]]
        codes = log.codes[name]
        columns[name] = np.array([*texts, None], dtype=object)[codes]
    columns["digest"] = _salted(log.digest, salt)
    if len(log.alike):
        columns["alike"] = _salted(log.alike, salt)
    for name in ("quality", "unmeasured"):
        if len(getattr(log, name)):
            columns[name] = getattr(log, name)
    blocks = _salted(log.blocks, salt).tolist()
    starts = log.block_starts.tolist()
    columns["prefix"] = [blocks[start:end] for start, end in pairwise(starts)]
    columns["known"] = np.array([",".join(sorted(log.known))] * len(log), dtype=object)
    said = {
        "format": FORMAT,
        "formats": given.formats,
        "rejected": given.rejected,
        "duplicates": given.duplicates,
        "accounting": asdict(given.accounting),
    }
    _write(duckdb, columns, path, json.dumps(said))


def _write(duckdb: Any, columns: dict[str, Any], path: Path, said: str) -> None:
    # DuckDB reads columns from memory by way of pandas or pyarrow alone; a file of JSON lines needs neither.
    names = list(columns)
    lists = [each.tolist() if isinstance(each, np.ndarray) else each for each in columns.values()]
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for row in zip(*lists, strict=True):
            cells = {
                name: None if isinstance(value, float) and isnan(value) else value
                for name, value in zip(names, row, strict=True)
            }
            file.write(json.dumps(cells) + "\n")
        file.flush()
        types = {name: _type(name, columns[name]) for name in names}
        listed = ", ".join(f"'{name}': '{kind}'" for name, kind in types.items())
        target, quoted = (text.replace("'", "''") for text in (str(path.resolve()), said))
        duckdb.connect().execute(
            f"COPY (SELECT * FROM read_json(?, format='newline_delimited', columns={{{listed}}})) "  # noqa: S608 - names of columns
            f"TO '{target}' (FORMAT parquet, COMPRESSION zstd, KV_METADATA {{promptopt: '{quoted}'}})",
            [file.name],
        )


def _type(name: str, values: Any) -> str:
    if name == "prefix":
        return "UBIGINT[]"
    if name == "digest":
        return "UBIGINT"
    kinds = {np.dtype(np.float64): "DOUBLE", np.dtype(np.bool_): "BOOLEAN", np.dtype(object): "VARCHAR"}
    return kinds.get(values.dtype, "BIGINT")


def read_skeleton(path: Path) -> AuditInput:
    """The log of a skeleton, with what was said when it was read.

    Raises:
        InputError: The file is not one.
        MissingExtra: DuckDB is not installed.
    """
    duckdb = _duckdb()
    try:
        columns = duckdb.connect().execute("SELECT * EXCLUDE (prefix) FROM read_parquet(?)", [str(path)]).fetchnumpy()
        prefixes = duckdb.connect().execute("SELECT prefix FROM read_parquet(?)", [str(path)]).fetchall()
    except duckdb.Error as error:
        raise InputError(f"cannot be read as a skeleton: {str(error).splitlines()[0]}", path=show_path(path)) from None
    codes, names, size = {}, {}, len(columns["model"])
    for name in NAMES:
        # Older skeletons lack a column.
        texts = [None if _is_missing(text) else str(text) for text in columns.get(name, [None] * size)]
        known: dict[str, int] = {}
        codes[name] = np.array([-1 if text is None else known.setdefault(text, len(known)) for text in texts], np.int32)
        names[name] = tuple(known)
    blocks = [block for (row,) in prefixes for block in row or ()]
    counts = [len(row or ()) for (row,) in prefixes]
    known_flags = str(columns["known"][0]).split(",") if len(columns["known"]) else []

    def numbers(name: str, kind: Any) -> Any:
        values = columns[name]
        if isinstance(values, np.ma.MaskedArray):
            values = values.filled(np.nan if values.dtype.kind == "f" else 0)
        return np.asarray(values).astype(kind)

    kinds: dict[str, Any] = dict.fromkeys(("at", "said_usd", "latency_s", "block_tokens"), np.float64)
    kinds |= dict.fromkeys(("failed", "cut_off", "own_hit"), np.bool_) | {"waits": np.int8}
    log = CallLog(
        **{name: numbers(name, kinds.get(name, np.int64)) for name in _PLAIN},
        codes=codes,
        names=names,
        digest=numbers("digest", np.uint64),
        blocks=np.array(blocks, np.uint64),
        block_starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        relation=np.ones(size, np.int8),
        reasoning_beside=np.zeros(size, bool),
        known=frozenset(each for each in known_flags if each),
        **{
            name: numbers(name, kind)
            for name, kind in (("alike", np.uint64), ("quality", np.float64), ("unmeasured", np.int8))
            if name in columns
        },
    )
    said = _said(path) or {}
    accounting = said["accounting"]
    settled = tuple(Settled(**each) for each in accounting["settled"])
    return AuditInput(
        in_order(log),
        Accounting(**{**accounting, "settled": settled}),
        said["formats"],
        said["rejected"],
        said["duplicates"],
    )


def is_skeleton(path: Path) -> bool:
    """Whether a file is a skeleton."""
    with path.open("rb") as file:
        if file.read(4) != b"PAR1":
            return False
    return _said(path) is not None


def _said(path: Path) -> dict[str, Any] | None:
    """What the file says of the log; ``None`` if it is not a skeleton."""
    query = "SELECT value FROM parquet_kv_metadata(?) WHERE key = 'promptopt'"
    rows = _duckdb().connect().execute(query, [str(path)]).fetchall()
    found = json.loads(bytes(rows[0][0])) if rows else {}
    return found if found.get("format") == FORMAT else None


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError:
        raise MissingExtra("duckdb", "audit", "a skeleton") from None
    return duckdb


def _is_hidden(column: str, text: str) -> bool:
    return column in _HIDDEN or (column == "effort" and text not in REASONING_EFFORTS)


def _is_missing(value: Any) -> bool:
    return value is None or value is np.ma.masked or (isinstance(value, float) and isnan(value))


def _hidden(text: str, salt: bytes) -> str:
    return blake2b(text.encode("utf-8", "replace"), key=salt, digest_size=8).hexdigest()


def _salted(values: Any, salt: bytes) -> Any:
    """Digests of digests; 0, which is none, stays."""
    unique, places = np.unique(values, return_inverse=True)
    hidden = [
        0 if value == 0 else int.from_bytes(blake2b(value.to_bytes(8), key=salt, digest_size=8).digest()) >> 1 or 1
        for value in unique.tolist()
    ]
    return np.array(hidden, np.uint64)[places.reshape(-1)]
