"""An adversary of a series of backups: swaps sets for each other, also those that are being deleted, and directories
and files in them for links and mounts, as ``log_swapper`` does.
"""

from pathlib import Path

from tests.remediator.tasks.log_rotation.log_swapper import Swapper, exchange, main


class SetSwapper(Swapper):
    def __init__(self, root: Path, outside: Path, seed: int) -> None:
        super().__init__(root, outside, seed)
        self.ways = [
            self.directory_for_link,
            self.directory_for_mount,
            self.file_for_link,
            self.file_for_hard_link,
            self.set_for_set,
            self.set_for_set,
        ]

    def _sets(self) -> list[Path]:
        return [path for path in self.root.iterdir() if not path.is_symlink() and path.is_dir() and path.name[0] != "@"]

    def _directory(self) -> Path:
        """A set, or a directory in one."""
        chosen = self.random.choice(self._sets())
        return self.random.choice([chosen, chosen / "deep"])

    def _file(self) -> Path:
        chosen = self.random.choice(self._sets())
        return self.random.choice([path for path in chosen.rglob("*") if path.is_file() and path.name[0] != "@"])

    def set_for_set(self) -> None:
        first, second = self.random.sample(self._sets(), 2)
        exchange(first, second)
        self._linger()
        exchange(first, second)


if __name__ == "__main__":
    main(SetSwapper)
