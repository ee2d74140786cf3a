"""Scorers of SQL: whether the response is a statement, or has one in it."""

from __future__ import annotations

import logging
import re
from typing import Any, ClassVar

from promptopt.errors import MissingExtra, did_you_mean
from promptopt.scorers.base import Subject, raw_answer, shorten, verdict
from promptopt.suites import Assertion
from promptopt.values import Score

# promptfoo's names of databases, and sqlglot's.
_DIALECTS = {
    "athena": "athena",
    "bigquery": "bigquery",
    "flinksql": "hive",
    "hive": "hive",
    "mariadb": "mysql",
    "mysql": "mysql",
    "noql": "",
    "postgresql": "postgres",
    "redshift": "redshift",
    "snowflake": "snowflake",
    "sqlite": "sqlite",
    "transactsql": "tsql",
    "trino": "trino",
}
_KEYS = ("databaseType", "allowedTables", "allowedColumns")
_FENCE = re.compile(r"^[ \t]{0,3}(`{3,}|~{3,})[ \t]*([^\r\n]*)$")
# Two names before FROM are a comma that was left out, not a name and its alias.
_NO_COMMA = re.compile(
    r"\bselect\s+(?:(?:all|distinct)\s+)*(?!(?:all|distinct)\b)[a-z_]\w*\s+[a-z_]\w*\s+from\b", re.IGNORECASE | re.ASCII
)


# Lists and names that end too early, which sqlglot lets pass.
_UNENDED = re.compile(r",\s*(?:;|$|\)|where\b|group\b|order\b|limit\b)|\bas\s*(?:;|$|from\b)", re.IGNORECASE)
# The databases that have it; sqlglot reads these parts of statements for all of them.
_ONLY_IN = {
    "ILike": ("postgres", "redshift", "snowflake", "trino"),
    "Qualify": ("bigquery", "redshift", "snowflake"),
    "Describe": ("mysql", "hive", "sqlite", "tsql", "trino", "athena", "bigquery", "redshift"),
    "TableSample": (),
    "Placeholder": ("mysql", "sqlite"),
}
# Statements that sqlglot keeps as they are.
_COMMANDS = {"CALL": None, "GRANT": ("mysql", "postgres", "tsql"), "SHOW": ("mysql", "postgres", "tsql")}


class Sql:
    """``is-sql``: the response is SQL; ``contains-sql``: a block of code in it is, or else the whole.

    ``value`` may say the ``databaseType`` (MySQL, PostgreSQL, SQLite, TransactSQL, BigQuery, ...), ``allowedTables``
    (``select::null::orders``) and ``allowedColumns`` (``select::orders::id``), whose parts are patterns. Statements are
    read by sqlglot, of the extra ``asserts``; none is run.
    """

    reads_answer: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, assertion: Assertion) -> None:
        value = {} if assertion.value is None else assertion.value
        if not isinstance(value, dict):
            raise ValueError(f"needs a mapping with {', '.join(_KEYS)} as `value`, not {value!r}")
        if unknown := [key for key in value if key not in _KEYS]:
            raise ValueError(f"unknown key {unknown[0]!r}.{did_you_mean(str(unknown[0]), _KEYS)}")
        self._database = str(value.get("databaseType") or "MySQL")
        if self._database.lower() not in _DIALECTS:
            raise ValueError(f"databaseType: {self._database!r} is not one of {', '.join(_DIALECTS)}")
        self._tables, self._columns = (_patterns(value.get(key), key) for key in _KEYS[1:])
        self._anywhere = assertion.type == "contains-sql"
        try:
            import sqlglot  # noqa: F401 - asked for before anything is paid
        except ImportError:
            raise MissingExtra("sqlglot", "asserts", f"the assert {assertion.type}") from None
        # It warns of statements that it keeps as they are.
        logging.getLogger("sqlglot").setLevel(logging.ERROR)

    def __call__(self, subject: Subject) -> Score:
        text = raw_answer(subject)
        candidates = (_blocks(text) if self._anywhere else []) or [text]
        problems = [self._problem(candidate) for candidate in candidates if candidate.strip() or not self._anywhere]
        return verdict("" in problems, problems[-1] if problems else "no SQL in the response")

    def _problem(self, text: str) -> str:
        import sqlglot
        from sqlglot.errors import SqlglotError

        bare, dialect = _without_texts(text), _DIALECTS[self._database.lower()]
        not_sql = f"{shorten(text)} is not {self._database}"
        if not text.strip() or text.count("`") % 2 or _NO_COMMA.search(bare) or _UNENDED.search(bare.strip()):
            return not_sql
        if self._database == "MySQL" and re.search(r"\bgenerate_series\s*\(", text, re.IGNORECASE):
            return f"{not_sql}: it has no generate_series"
        try:
            # Which is an INSERT in all that matters here.
            insert = re.sub(r"\A\s*REPLACE\s+INTO\b", "INSERT INTO", text, flags=re.IGNORECASE)
            statements = sqlglot.parse(insert, dialect=dialect or None)
        except (SqlglotError, RecursionError) as error:
            return f"{not_sql}: {str(error).splitlines()[0][:120]}"
        found = [each for each in statements if each is not None]
        if not found or not all(_is_statement(each, dialect) for each in found):
            return not_sql
        if dialect not in ("bigquery", "tsql", "") and re.search(r"(?:^|[\s,(=])\[", bare):
            return f"{not_sql}: a name in brackets"
        if dialect != "bigquery" and re.search(r",\s*from\b|\*\s*except\s*\(", bare, re.IGNORECASE):
            return not_sql
        if dialect != "mysql" and re.search(r"\bwith\s+rollup\b", bare, re.IGNORECASE):
            return f"{not_sql}: it has no WITH ROLLUP"
        return self._forbidden("table", _tables(found), self._tables) or self._forbidden(
            "column", _columns(found), self._columns
        )

    def _forbidden(self, what: str, found: set[str], allowed: list[re.Pattern[str]] | None) -> str:
        other = (
            [] if allowed is None else [name for name in sorted(found) if not any(p.fullmatch(name) for p in allowed)]
        )
        return f"{what} {', '.join(other)} is not allowed" if other else ""


def _patterns(value: Any, key: str) -> list[re.Pattern[str]] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{key}: {value!r} is not a list of texts")
    found = list(value)
    # A column of a query without the table's name is one of any table.
    found += [
        f"{verb}::null::{name}" for verb, _, name in (each.split("::") for each in value if each.count("::") == 2)
    ]
    try:
        return [re.compile(each, re.IGNORECASE) for each in (found if key == "allowedColumns" else value)]
    except re.error as error:
        raise ValueError(f"{key}: {error} in a pattern") from None


def _is_statement(statement: Any, dialect: str) -> bool:
    """Whether it is a statement of this database: sqlglot also reads expressions, and parts of other databases."""
    from sqlglot import exp

    if isinstance(statement, exp.Command):
        name = str(statement.this).upper()
        return name in _COMMANDS and (_COMMANDS[name] is None or dialect in (_COMMANDS[name] or ()))
    kinds = (exp.Query, exp.DML, exp.DDL, exp.Alter, exp.Drop, exp.Use, exp.Set, exp.Transaction, exp.Commit)
    if not isinstance(statement, (*kinds, exp.Rollback, exp.TruncateTable, exp.Show, exp.Describe)):
        return False
    if dialect and any(
        dialect not in known and any(not node.name for node in statement.find_all(getattr(exp, kind)))
        if kind == "Placeholder"
        else dialect not in known and statement.find(getattr(exp, kind))
        for kind, known in _ONLY_IN.items()
    ):
        return False
    if any(not select.expressions for select in statement.find_all(exp.Select)):
        return False
    return all(_fits(insert) for insert in statement.find_all(exp.Insert))


def _fits(insert: Any) -> bool:
    """Whether each row of an INSERT has as many values as columns are named."""
    from sqlglot import exp

    columns, rows = insert.this, insert.expression
    if not isinstance(columns, exp.Schema) or not isinstance(rows, exp.Values):
        return True
    return all(len(row.expressions) == len(columns.expressions) for row in rows.expressions if row.expressions)


def _tables(statements: list[Any]) -> set[str]:
    """``verb::schema::table`` of each table that is not a common table expression."""
    from sqlglot import exp

    found = set()
    for statement in statements:
        defined = {each.alias_or_name.lower() for each in statement.find_all(exp.CTE)}
        for table in statement.find_all(exp.Table):
            if table.name and table.name.lower() not in defined:
                found.add(f"{_verb(table)}::{table.db or 'null'}::{table.name}")
    return found


def _columns(statements: list[Any]) -> set[str]:
    """``verb::table::column``, where ``null`` is a table that is not named and ``(.*)`` every column."""
    from sqlglot import exp

    found = set()
    for statement in statements:
        names = {each.alias: each.name for each in statement.find_all(exp.Table) if each.alias}
        for column in statement.find_all(exp.Column):
            table = names.get(column.table, column.table) or "null"
            name = "(.*)" if isinstance(column.this, exp.Star) else column.name
            found.add(f"{_verb(column)}::{table}::{name}")
        if isinstance(statement, exp.Delete) and statement.this is not None:
            found.add(f"delete::{statement.this.name}::(.*)")
        found |= {"select::null::(.*)" for star in statement.find_all(exp.Star) if isinstance(star.parent, exp.Select)}
    return found


def _verb(node: Any) -> str:
    from sqlglot import exp

    kinds = (exp.Select, exp.Insert, exp.Update, exp.Delete, exp.Create, exp.Drop, exp.Alter)
    while node is not None:
        if isinstance(node, kinds):
            return type(node).__name__.lower()
        node = node.parent
    return "select"


def _without_texts(text: str) -> str:
    """A statement with ``?`` for its texts and quoted names, and without comments."""
    quoted = r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`[^`]*`"
    return re.sub(rf"({quoted})|--[^\n]*|#[^\n]*|/\*.*?\*/", lambda m: " ? " if m[1] else " ", text, flags=re.DOTALL)


def _blocks(text: str) -> list[str]:
    """The blocks of code that are SQL, or do not say what they are."""
    blocks: list[str] = []
    fence, lines, wanted = "", [""], False
    for line in re.split(r"\r\n?|\n", text):
        match = _FENCE.match(line)
        if not fence:
            if match:
                fence, lines, wanted = match[1], [], match[2].strip().lower() in ("", "sql")
        elif match and not match[2].strip() and match[1].startswith(fence):
            blocks += ["\n".join(lines).strip()] if wanted else []
            fence = ""
        else:
            lines.append(line)
    return blocks
