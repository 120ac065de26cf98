"""PostgreSQL itself: connecting by URL, and what a transaction sets before it begins.

A URL is libpq's (https://www.postgresql.org/docs/current/libpq-connect.html, "Connection URIs"), with ``+psycopg``
after ``postgresql`` or without. Passwords may be left to libpq: in ``~/.pgpass``, or in ``PGPASSWORD``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from photoindex.errors import CatalogueError
from photoindex.system.urls import passwords_in, without_password

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Connection, Engine

WAIT_SECONDS: Final = 30  # that a lock is waited for
CONNECT_SECONDS: Final = 10
# Until a server whose machine does not answer any more is given up, where the system can do that. Keepalives do that
# for a connection that waits; with a question under way the system would try for a quarter of an hour.
LOST_SECONDS: Final = 60
SILENT_SECONDS: Final = 30  # that an answer is waited for before a look whether the server answers at all
MOST_CONNECTIONS: Final = 16  # of a process: a server's answering threads, and those that work behind them
# A process that stops in the middle of a transaction holds up those that wait for it: the server ends its session.
IDLE_SECONDS: Final = {"shared": 60, "exclusive": 600}
# The first question of a connection: whether the session is its own. It waits longer then: a server that soon ends what
# does nothing in a transaction would end one that makes an index of what it read.
_GREETING: Final = (
    f"select pg_backend_pid() = %(own)s, (select set_config(name, '{IDLE_SECONDS['exclusive']}s', false)"
    " from pg_settings where name = 'idle_in_transaction_session_timeout' and pg_backend_pid() = %(own)s"
    f" and setting::bigint between 1 and {IDLE_SECONDS['exclusive']} * 1000)"
).encode()
LOCK: Final = 0x70686F746F  # of exclusive and shared writes; such locks are each database's own
COMPARER_LOCK: Final = 0x70686F74  # with a second number, of the folder; keys of two parts are apart from the others
UPGRADE_LOCK: Final = LOCK + 1
_PARAMETER: Final = re.compile(r"(?<![:\w]):([a-z_]\w*)")


def connect(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    """Return a connection, to the server or to a pool before it. Raises psycopg.Error, and :class:`CatalogueError`
    where psycopg is not installed or cannot read the URL."""
    try:
        import psycopg
    except ImportError as error:
        raise CatalogueError(
            "a catalogue in PostgreSQL needs psycopg: pip install 'photoindex[cluster]' (or correct the setting "
            f"catalogue): {error}"
        ) from error
    _check_url(url)
    connection = _watched_connection(url).connect(
        _of_libpq(url),
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        fallback_application_name="photoindex",
        client_encoding="UTF8",  # whatever the database's, or PGCLIENTENCODING, which cannot say every name
        keepalives_idle=30,
        keepalives_interval=10,
        keepalives_count=3,
        tcp_user_timeout=LOST_SECONDS * 1000,
    )
    try:
        session = connection.execute(_GREETING, {"own": connection.info.backend_pid}).fetchone()
    except psycopg.Error:
        connection.close()
        raise
    connection.autocommit = False
    if session is None or not session[0]:
        connection.prepare_threshold = None  # prepared statements are those of a session
    return connection


@cache
def _watched_connection(url: str) -> type[psycopg.Connection[tuple[Any, ...]]]:
    """Return the class of connections that look now and then, while they wait for an answer, whether there will be one.

    A server that is frozen, with its machine or by a disk that hangs, keeps its connections: its system takes what is
    sent. That it does not answer new ones either tells it from one that works.
    """
    import psycopg

    class Connection(psycopg.Connection[tuple[Any, ...]]):
        def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
            return super().wait(self._while_it_answers(gen), *arguments, **options)

        def _while_it_answers(self, waiting: Any) -> Generator[Any, Any, Any]:
            heard = time.monotonic()
            try:
                awaited = next(waiting)
                while True:
                    ready = yield awaited
                    if ready:
                        heard = time.monotonic()
                    elif time.monotonic() - heard > SILENT_SECONDS:
                        try:
                            _check_answers(url)
                        except psycopg.Error:
                            self.close()  # in the middle of a question
                            raise
                        heard = time.monotonic()
                    awaited = waiting.send(ready)
            except StopIteration as end:
                return end.value

    return Connection


def _check_answers(url: str) -> None:
    """Raise psycopg.OperationalError when the server answers nobody. That it refuses a connection is an answer."""
    import psycopg

    try:
        psycopg.connect(_of_libpq(url), connect_timeout=CONNECT_SECONDS).close()
    except psycopg.errors.ConnectionTimeout:
        raise psycopg.OperationalError(f"no answer for {SILENT_SECONDS + CONNECT_SECONDS} seconds") from None
    except psycopg.Error:
        pass


def is_pooled(connection: psycopg.Connection[Any]) -> bool:
    """Return whether a pool such as PgBouncer is between, which may give each transaction another session."""
    return connection.prepare_threshold is None


def _of_libpq(url: str) -> str:
    return url.replace("+psycopg", "", 1)


def _check_url(url: str) -> None:
    """Raise :class:`CatalogueError` for a URL that libpq cannot read, or whose password it takes in part for something
    else, which its messages would show."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    hidden = [unquote(text) for text in passwords_in(url)]
    reason = ""
    try:
        read = conninfo_to_dict(_of_libpq(url))
    except psycopg.ProgrammingError as error:
        reason = "" if hidden else f" ({str(error).strip()})"
    else:
        found = [read.get(name) or "" for name in ("password", "sslpassword")]
        if all(text in found for text in hidden) or (not any(found) and _has_port_alone(read)):
            return
    raise CatalogueError(
        f"the URL of the catalogue {without_password(url)} cannot be read{reason}: write % as %25, @ as %40, / as %2F "
        "and a blank as %20 in names and passwords, or leave the password to ~/.pgpass"
    )


def _has_port_alone(read: dict[str, Any]) -> bool:
    """Return whether what stands behind a colon in a URL is a port, as in ``//a.example:5432/db?options=x@y``."""
    return str(read.get("port") or "0").replace(",", "").isdigit() and "@" not in str(read.get("dbname"))


def make_engine(connect: Callable[[], psycopg.Connection[Any]]) -> Engine:
    """Return SQLAlchemy's engine for a catalogue. A connection that was lost is replaced by another one."""
    from sqlalchemy import create_engine, event

    # Who has waited for the lock sees what was written meanwhile. A server's own default may be a snapshot from before.
    engine = create_engine("postgresql+psycopg://", creator=connect, pool_pre_ping=True,
                           pool_size=MOST_CONNECTIONS // 2, max_overflow=MOST_CONNECTIONS // 2,
                           pool_timeout=WAIT_SECONDS, isolation_level="READ COMMITTED")  # fmt: skip
    # Many rows in one statement: the triggers of the change feed run once for each.
    engine.dialect.use_insertmanyvalues_wo_returning = True

    @event.listens_for(engine, "checkout")
    def _on_checkout(connection: psycopg.Connection[Any], *_: object) -> None:
        # After a read SQLAlchemy asks for transactions that write, which a standby refuses as a feature it has not.
        # Whether one may write is for the server to say.
        connection.read_only = None

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        how = connection.get_execution_options().get("photoindex_write")
        if how is not None:
            connection.exec_driver_sql(_begin(how))

    return engine


@cache
def _begin(how: str) -> str:
    """Return the first statement of a write transaction. ``how``: shared or exclusive."""
    lock = "pg_advisory_xact_lock" if how == "exclusive" else "pg_advisory_xact_lock_shared"
    return (
        f"select set_config('lock_timeout', '{WAIT_SECONDS}s', true),"
        f" set_config('idle_in_transaction_session_timeout', '{IDLE_SECONDS[how]}s', true), {lock}({LOCK})"
    )


@cache
def with_driver_parameters(sql: str) -> str:
    """Return SQL whose parameters are called ``:name`` as psycopg wants it."""
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))
