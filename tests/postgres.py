"""A PostgreSQL server of the tests' own: on a socket in a temporary folder, ended and removed with the last test.

Each test gets an empty catalogue of its own. Making a database copies some hundred files and dropping it waits for a
checkpoint, so one is emptied and lent again, unless the test changed its tables. All are dropped in the end: many that
are left make recovery slow.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg

from photoindex.catalogue.postgres_database import PostgresDatabase

TEMPLATE: Final = "template_catalogue"
# The server refuses to run as root.
USERS = ("postgres", "nobody")
# A test's server may forget what it said it stored when the machine loses power, and has many short connections.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "full_page_writes": "off",
    "autovacuum": "on",
    "log_min_messages": "fatal",
}


def missing() -> str | None:
    """Return why no server can be started here; ``None`` when one can."""
    if programs() is None:
        return "PostgreSQL's pg_ctl and initdb are not installed (Debian: apt-get install postgresql)"
    if os.geteuid() == 0 and unprivileged() is None:
        return "PostgreSQL does not run as root, and there is no other user here"
    return None


def programs() -> Path | None:
    """Return the folder of pg_ctl and initdb: where they are found, or where Debian puts them."""
    found = shutil.which("pg_ctl")
    folders = [Path(os.path.realpath(found)).parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((each for each in folders if (each / "pg_ctl").exists() and (each / "initdb").exists()), None)


def unprivileged() -> pwd.struct_passwd | None:
    """Return the user that a server runs as when this process is root."""
    for name in USERS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    return None


@dataclass
class Server:
    """A running server. ``url(name)`` is that of a database."""

    folder: Path
    _made: set[str] = field(default_factory=set)
    _free: list[tuple[str, str]] = field(default_factory=list)  # (URL, state of its tables) of empty catalogues

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://photoindex@/{name}?host={self.folder}"

    def create(self, name: str | None = None, *, template: str = "template0", encoding: str = "UTF8") -> str:
        """Make a database, and return its URL."""
        name = name or f"test_{secrets.token_hex(6)}"
        self._run(f'create database "{name}" template "{template}" encoding \'{encoding}\'')
        self._made.add(name)
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database and end the sessions that it has."""
        name = url.partition("@/")[2].partition("?")[0]
        self._run(f'drop database if exists "{name}" with (force)')
        self._made.discard(name)

    def set_default(self, url: str, name: str, value: str) -> None:
        """Have the sessions of a database begin with another value of a setting."""
        database = url.partition("@/")[2].partition("?")[0]
        self._run(f'alter database "{database}" set {name} = {value}')

    def lend(self) -> tuple[str, str]:
        """Return the URL of an empty catalogue, and the state of its tables for :meth:`take_back`."""
        if self._free:
            return self._free.pop()
        url = self.create(template=TEMPLATE)
        with _connected(url) as connection:
            return url, _state_of_tables(connection)

    def take_back(self, url: str, state: str) -> None:
        """Empty a catalogue for the next test; drop it if its tables are not those that were lent, or are gone."""
        try:
            with _connected(url) as connection:
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = current_database() and pid <> pg_backend_pid()"
                )
                if _state_of_tables(connection) == state:
                    _empty(connection)
                    self._free.append((url, state))
                    return
        except psycopg.Error:
            pass  # dropped, or its server was ended: there is nothing to be lent
        self.drop(url)

    def end_sessions(self) -> None:
        """End every session but this one, as a server that is started again does."""
        self._run(
            "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname <> ''"
        )

    def crash(self) -> None:
        """End the server and all its sessions without a checkpoint: when it starts, it recovers from its log."""
        control(self.folder, "-m", "immediate", "stop")

    def start(self) -> None:
        """Start it again after :meth:`crash`."""
        control(self.folder, "-w", "-t", "60", "start")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the server and all its sessions for a block, as a disk that hangs or a machine that sleeps does: the
        system goes on taking what is sent to it."""
        with _connected(self.url("postgres")) as connection:
            others = "select pid from pg_stat_activity where pid <> pg_backend_pid()"
            sessions = [pid for (pid,) in connection.execute(others)]
        first = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        stopped: list[int] = []
        try:
            for pid in (first, *sessions):
                with suppress(ProcessLookupError):  # it has ended
                    os.kill(pid, signal.SIGSTOP)
                    stopped.append(pid)
            yield
        finally:
            for pid in stopped:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _run(self, sql: str) -> None:
        with _connected(self.url("postgres")) as connection:
            connection.execute(sql.encode())


def _connected(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def _state_of_tables(connection: psycopg.Connection[tuple[Any, ...]]) -> str:
    """Return what differs after every change of a table, an index, a function or a trigger: the numbers of the
    transactions that wrote their rows in the server's own tables."""
    parts = (
        "select xmin from pg_class where relnamespace = 'public'::regnamespace",
        "select xmin from pg_attribute where attrelid in (select oid from pg_class"
        " where relnamespace = 'public'::regnamespace)",
        "select xmin from pg_trigger",
        "select xmin from pg_proc where pronamespace = 'public'::regnamespace",
    )
    sql = f"select count(*) || ' ' || coalesce(sum(hashtext(xmin::text)), 0) from ({' union all '.join(parts)}) as rows"
    row = connection.execute(sql.encode()).fetchone()
    assert row is not None
    return str(row[0])


def _empty(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Bring a catalogue back to what :func:`make_template` made, with another identity."""
    names = connection.execute(
        "select tablename from pg_tables where schemaname = 'public' and tablename <> 'alembic_version'"
    ).fetchall()
    counters = connection.execute("select sequencename from pg_sequences where schemaname = 'public'").fetchall()
    statements = [
        "set local session_replication_role = replica",  # no triggers, and no order among the tables
        "set local synchronous_commit = off",
        *(f'delete from "{name}"' for (name,) in names),
        *(f"select setval('\"{name}\"', 1, false)" for (name,) in counters),
        f"insert into catalogue (id, identity, vector_revision) values (1, '{secrets.token_hex(16)}', 0)",
    ]
    with connection.transaction():
        connection.execute("; ".join(statements).encode())


def control(folder: Path, *arguments: str) -> None:
    """Call pg_ctl on the server in a folder."""
    _call("pg_ctl", "-D", str(folder / "data"), "-l", str(folder / "log"), "-s", *arguments, check=False)


def _call(program: str, *arguments: str, check: bool = True) -> None:
    there = programs()
    assert there is not None
    user = unprivileged() if os.geteuid() == 0 else None
    identity: dict[str, Any] = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    subprocess.run(
        [there / program, *arguments], cwd="/", check=check, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        **identity,
    )  # fmt: skip


@contextmanager
def server(**settings: str) -> Iterator[Server]:
    """Start a server for a block."""
    # Not below the tests' folder: a socket's path has 107 bytes at most, and others may not enter that one.
    folder = Path(tempfile.mkdtemp(prefix="photoindex-pg-"))
    try:
        user = unprivileged() if os.geteuid() == 0 else None
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        _call(
            "initdb", "-D", str(folder / "data"), "-U", "photoindex", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"
        )
        chosen = {**SETTINGS, **settings, "unix_socket_directories": str(folder)}
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in chosen.items())
        running = Server(folder)
        running.start()
        yield running
    finally:
        control(folder, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def make_template(running: Server) -> None:
    """Make the database that those of the tests are copies of."""
    with_tables = PostgresDatabase.open_as_is(running.create(TEMPLATE), read_only=False)
    with_tables.upgrade()
    with_tables.close()


def pooler_missing() -> str | None:
    """Return why no pool can be put before a server here; ``None`` when one can."""
    return None if shutil.which("pgbouncer") else "PgBouncer is not installed (Debian: apt-get install pgbouncer)"


@contextmanager
def pooler(running: Server, sessions: int = 4) -> Iterator[Callable[[str], str]]:
    """Put a PgBouncer before a server for a block, which gives each transaction any of a few sessions. Yields what
    makes a database's URL that of the pool."""
    folder = Path(tempfile.mkdtemp(prefix="photoindex-pool-"))
    settings = {
        "listen_addr": "", "unix_socket_dir": folder, "auth_type": "any", "pool_mode": "transaction",
        "default_pool_size": sessions, "query_wait_timeout": 30, "log_connections": 0, "log_disconnections": 0,
        "log_stats": 0,
    }  # fmt: skip
    lines = ["[databases]", f"* = host={running.folder} user=photoindex", "[pgbouncer]"]
    (folder / "settings").write_text("\n".join([*lines, *(f"{name} = {value}" for name, value in settings.items())]))
    user = unprivileged() if os.geteuid() == 0 else None
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    identity: dict[str, Any] = {}
    if user is not None:
        identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    process = subprocess.Popen(
        ["pgbouncer", folder / "settings"], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, **identity,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "process up" in line:
                break
        process.stderr.close()
        yield lambda url: url.replace(f"?host={running.folder}", f"?host={folder}&port=6432")
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
