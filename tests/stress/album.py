"""A folder of photos that somebody keeps changing, and who knows at any time what must be in it."""

from __future__ import annotations

import hashlib
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from coded import photo_bytes

KINDS = {".png": "PNG", ".jpg": "JPEG"}


class Album:
    """Photos and folders below ``root``, changed by :meth:`change`, one random thing a call.

    ``outside`` is a folder beside it, which things are moved to and back from. ``photos`` is the content (SHA-256) of
    each photo that is below the root, ``numbers`` what each content shows; ``broken`` the same of files that are none.
    """

    def __init__(self, root: Path, outside: Path, chooser: random.Random, limit: int) -> None:
        self.root = root
        self.photos: dict[Path, str] = {}
        self.broken: dict[Path, str] = {}
        self.numbers: dict[str, int] = {}
        self.done = 0
        self._outside = outside
        self._away: list[tuple[Path, dict[Path, str], dict[Path, str]]] = []
        self._removed: list[tuple[str, bytes]] = []
        self._random = chooser
        self._limit = limit
        self._names = 0
        self._pause: Callable[[float], object] = lambda seconds: None
        root.mkdir()
        outside.mkdir()

    @contextmanager
    def changing(self, every: float) -> Iterator[None]:
        """Change something every so many seconds on average, in a thread, until the block ends."""
        over = threading.Event()
        problems: list[BaseException] = []

        def work() -> None:
            try:
                while not over.wait(self._random.uniform(0, 2 * every)):
                    self.change()
            except BaseException as error:
                problems.append(error)

        self._pause = over.wait
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        if problems:
            raise problems[0]

    def change(self) -> None:
        """Do one random thing that people and their programs do to folders of photos."""
        many = len(self.photos) > self._limit
        steps: dict[Callable[[], None], float] = {
            self.add: 2 if many else 8,
            self.copy: 1 if many else 3,
            self.rename: 4,
            self.overwrite: 1,
            self.remove: 6 if many else 2,
            self.bring_back: 1,
            self.add_broken: 0.2,
            self.move_folder: 2,
            self.copy_folder: 0 if many else 0.5,
            self.remove_folder: 0.7 if many else 0.3,
            self.take_away: 0.5,
            self.take_back: 0.6,
        }
        [step] = self._random.choices(list(steps), list(steps.values()))
        step()
        self.done += 1

    # ---- photos

    def add(self) -> None:
        """A new photo, which comes whole under its name, or in pieces."""
        suffix = self._random.choice(list(KINDS))
        number = len(self.numbers) + 1
        content = photo_bytes(number, KINDS[suffix])
        path = self._new_path(suffix)
        self._note(content, number)
        self._put(path, content)

    def copy(self) -> None:
        source = self._any_photo()
        if source is None:
            return
        path = self._new_path(source.suffix)
        # Also as programs do that keep the time: then nothing but its name says that it is new.
        self._random.choice([shutil.copy, shutil.copy2])(source, path)
        self.photos[path] = self.photos[source]

    def rename(self) -> None:
        """To another name or folder; sometimes over another photo."""
        source = self._any_photo()
        if source is None:
            return
        target = self._any_photo() if self._random.random() < 0.1 else None
        path = target or self._new_path(source.suffix)
        source.replace(path)
        self.photos[path] = self.photos.pop(source)

    def overwrite(self) -> None:
        """Another photo under a name that is known, written in place."""
        path = self._any_photo()
        if path is None:
            return
        number = len(self.numbers) + 1
        content = photo_bytes(number, KINDS[path.suffix], side=self._random.choice([32, 48]))
        self._note(content, number)
        path.write_bytes(content)
        self.photos[path] = _hash(content)

    def remove(self) -> None:
        path = self._any_photo()
        if path is not None:
            self._removed = [*self._removed[-20:], (path.suffix, path.read_bytes())]
            path.unlink()
            del self.photos[path]

    def bring_back(self) -> None:
        """What was removed comes back, under another name."""
        if self._removed:
            suffix, content = self._removed.pop(self._random.randrange(len(self._removed)))
            self._put(self._new_path(suffix), content)

    def add_broken(self) -> None:
        if len(self.broken) < 10:
            path = self._new_path(".jpg")
            content = f"no photo {path.name}".encode()
            path.write_bytes(content)
            self.broken[path] = _hash(content)

    # ---- folders

    def move_folder(self) -> None:
        source, target = self._any_folder(), self._any_folder()
        if source is None or target is None:
            return
        place = target if self._random.random() < 0.5 else source.parent
        if place != source and source not in place.parents:
            self._move_all(source, place / self._new_name("folder"))

    def copy_folder(self) -> None:
        source = self._any_folder()
        if source is None or len(self._below(source)) > self._limit // 4:
            return
        target = self.root / self._new_name("copied")
        shutil.copytree(source, target)
        for path in self._below(source):
            kind = self._kind(path)
            kind[target / path.relative_to(source)] = kind[path]

    def remove_folder(self) -> None:
        folder = self._any_folder()
        if folder is None or len(self._below(folder)) > self._limit // 4:
            return
        shutil.rmtree(folder)
        for path in self._below(folder):
            del self._kind(path)[path]

    def take_away(self) -> None:
        """Out of the tree, with all that is in it."""
        folder = self._any_folder()
        if folder is None or len(self._below(folder)) > self._limit // 4:
            return
        away = self._outside / self._new_name("away")
        below = self._below(folder)
        photos, broken = (
            {path.relative_to(folder): kind.pop(path) for path in below if path in kind}
            for kind in (self.photos, self.broken)
        )
        folder.rename(away)
        self._away.append((away, photos, broken))

    def take_back(self) -> None:
        if self._away:
            away, photos, broken = self._away.pop(self._random.randrange(len(self._away)))
            place = self.root / self._new_name("back")
            away.rename(place)
            self.photos.update({place / relative: content for relative, content in photos.items()})
            self.broken.update({place / relative: content for relative, content in broken.items()})

    # ---- inside

    def _put(self, path: Path, content: bytes) -> None:
        way = self._random.random()
        if way < 0.4:
            path.write_bytes(content)
        elif way < 0.8:
            part = path.with_name(path.name + ".part")
            part.write_bytes(content)
            part.rename(path)
        else:
            with path.open("wb", buffering=0) as file:
                file.write(content[: len(content) // 2])
                self._pause(0.05)
                file.write(content[len(content) // 2 :])
        self.photos[path] = _hash(content)

    def _note(self, content: bytes, number: int) -> None:
        self.numbers[_hash(content)] = number

    def _move_all(self, source: Path, target: Path) -> None:
        source.rename(target)
        for path in self._below(source):
            kind = self._kind(path)
            kind[target / path.relative_to(source)] = kind.pop(path)

    def _below(self, folder: Path) -> list[Path]:
        return [path for path in (*self.photos, *self.broken) if folder in path.parents]

    def _kind(self, path: Path) -> dict[Path, str]:
        return self.photos if path in self.photos else self.broken

    def _any_photo(self) -> Path | None:
        return self._random.choice(list(self.photos)) if self.photos else None

    def _any_folder(self) -> Path | None:
        """One below the root."""
        folders = sorted(path for path in self.root.rglob("*") if path.is_dir())
        return self._random.choice(folders) if folders else None

    def _new_path(self, suffix: str) -> Path:
        folder = self._any_folder() if self._random.random() < 0.8 else None
        folder = folder or self.root
        if self._random.random() < 0.15 and len(folder.relative_to(self.root).parts) < 6:
            folder /= self._new_name("new")
            folder.mkdir()
        return folder / (self._new_name("photo") + suffix)

    def _new_name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}-{self._names}"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
