"""The metric families of backups."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from prometheus_client.core import Metric

from exporter.backups.copies import Copies
from exporter.backups.results import Results
from exporter.backups.retention import WHYS, Why
from exporter.backups.room import room_for
from exporter.backups.sets import REASONS, Figures, Reason
from exporter.base.families import Families
from exporter.inventory.backups import Backup


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one backup now. None for what is not."""

    backup: Backup
    up: bool | None
    figures: Figures | None
    results: Results | None
    refusals: Collection[Why] | None = None
    """Why sets that could go may not; None where nothing is ever deleted."""
    room: int | None = None
    """Bytes that are free where the sets are."""
    copies: Copies | None = None
    """What became of copying sets, by destination."""


def families(standings: Sequence[Standing]) -> Sequence[Metric]:
    """All families, those without samples too. Times in Unix seconds, sizes in bytes."""
    table = _Table()
    for standing in standings:
        table.add(standing)
    return table.made.all


class _Table:
    def __init__(self) -> None:
        self.made = Families("upkeeper_backup", "backup")
        self._gauges = {name: self.made.gauge(name, text, *_EXTRA_LABEL.get(name, ())) for name, text in _TEXTS.items()}

    def add(self, standing: Standing) -> None:
        name, backup, figures = standing.backup.name, standing.backup, standing.figures
        values: dict[str, float | None] = {
            "up": standing.up,
            "max_age_seconds": backup.max_age,
            "size_min_bytes": int(backup.min_bytes),
            "size_min_ratio": backup.min_size_ratio,
            "max_verify_age_seconds": backup.max_verify_age,
            "max_restore_test_age_seconds": backup.max_restore_test_age,
            "max_restore_seconds": backup.max_restore_time,
            "max_restore_data_age_seconds": backup.max_restore_data_age,
        }
        for proof, age in (backup.max_proven_age.limits() if backup.max_proven_age is not None else {}).items():
            self._gauges["max_proven_age_seconds"].add([name, proof], age)
        if backup.make is not None:
            values["room_bytes"] = standing.room
            if figures is not None and figures.newest_bytes is not None:
                values["next_size_max_bytes"] = room_for(figures.newest_bytes)
        if figures is not None:
            values |= {
                "sets": figures.sets,
                "last_success_timestamp_seconds": figures.newest,
                "oldest_timestamp_seconds": figures.oldest,
                "size_bytes": figures.newest_bytes,
                "size_expected_bytes": figures.expected_bytes,
                "in_progress": figures.in_progress if backup.restic is None else None,
            }
            for reason in REASONS if backup.restic is None else _REASONS_OF_SNAPSHOTS:
                self._gauges["uncounted_sets"].add([name, reason], figures.uncounted[reason])
            for proof, date in figures.proven.items():
                self._gauges["proven_timestamp_seconds"].add([name, proof], date)
            for proof, count in figures.failed.items():
                self._gauges["proof_failed_sets"].add([name, proof], count)
        for why in WHYS if standing.refusals is not None else ():
            self._gauges["retention_refused"].add([name, why], why in (standing.refusals or ()))
        for family, value in values.items():
            self._gauges[family].add([name], value)
        if standing.results is not None:
            self._add_results(name, standing.results)
        self._add_copies(name, backup, standing.copies or {})

    def _add_results(self, name: str, results: Results) -> None:
        for level, result in results.verifications.items():
            self._gauges["verify_success"].add([name, level], result.success)
            self._gauges["last_verify_timestamp_seconds"].add([name, level], result.finished)
        if results.restore_test is not None:
            self._gauges["restore_test_success"].add([name], results.restore_test.success)
            self._gauges["last_restore_test_timestamp_seconds"].add([name], results.restore_test.finished)
            self._gauges["restore_seconds"].add([name], results.restore_test.recovered_seconds)
            self._gauges["restore_data_age_seconds"].add([name], results.restore_test.data_age_seconds)

    def _add_copies(self, name: str, backup: Backup, copies: Copies) -> None:
        for destination in backup.copy_to:
            age = destination.max_age if destination.max_age is not None else backup.max_age
            self._gauges["copy_max_age_seconds"].add([name, destination.name], age)
            copy = copies.get(destination.name)
            if copy is not None:
                self._gauges["copy_success"].add([name, destination.name], copy.success)
                self._gauges["copied_timestamp_seconds"].add([name, destination.name], copy.copied)


_REASONS_OF_SNAPSHOTS: Sequence[Reason] = ("future",)
"""A snapshot that is not complete is not there, so of others nothing is known."""

_EXTRA_LABEL = {
    "uncounted_sets": ["reason"],
    "verify_success": ["level"],
    "proven_timestamp_seconds": ["proof"],
    "proof_failed_sets": ["proof"],
    "max_proven_age_seconds": ["proof"],
    "retention_refused": ["reason"],
    "last_verify_timestamp_seconds": ["level"],
    "copy_success": ["destination"],
    "copied_timestamp_seconds": ["destination"],
    "copy_max_age_seconds": ["destination"],
}

_TEXTS = {
    "up": "Whether the backup directory or repository could be read.",
    "last_success_timestamp_seconds": "When the newest complete set was made.",
    "oldest_timestamp_seconds": "When the oldest complete set was made.",
    "max_age_seconds": "Age of the newest complete set from which the backup is overdue.",
    "sets": "Complete sets.",
    "in_progress": "Sets that are being written.",
    "uncounted_sets": "Sets that do not count: never completed, unreadable, or dated in the future.",
    "size_bytes": "Size of the newest complete set.",
    "size_expected_bytes": "Median size of up to seven complete sets before the newest; absent with fewer than three.",
    "size_min_ratio": "Share of the expected size that the newest complete set must have.",
    "size_min_bytes": "Size that the newest complete set must have.",
    "verify_success": "Whether the last verification succeeded, by its level.",
    "last_verify_timestamp_seconds": "When the last verification ended, by its level.",
    "proven_timestamp_seconds": "When the newest complete set was made of which this was shown.",
    "proof_failed_sets": "Complete sets of which the last attempt to show this failed.",
    "retention_refused": "1 while nothing is deleted for this reason though sets are to spare; clock, missing: always.",
    "max_proven_age_seconds": "Age that the newest set may have of which this was shown.",
    "room_bytes": "Bytes that are free where the sets are, of a series that Upkeeper makes.",
    "next_size_max_bytes": "Bytes that must be free for the next set: the newest and a fifth more.",
    "max_verify_age_seconds": "Time within which the backup must be verified again.",
    "restore_test_success": "Whether the last restore test succeeded.",
    "last_restore_test_timestamp_seconds": "When the last restore test ended.",
    "max_restore_test_age_seconds": "Time within which a restore must be tested again.",
    "restore_seconds": "How long the last restore test took until all worked with the data (RTO).",
    "restore_data_age_seconds": "How old the data of the last restore test was when it began (RPO).",
    "max_restore_seconds": "Time that a restore test may take until all works with the data.",
    "max_restore_data_age_seconds": "Age that the data of a restore test may have when it begins.",
    "copy_success": "Whether the last copy of a set to this destination was found there, whole.",
    "copied_timestamp_seconds": "When the newest set was made of which a copy was found at this destination.",
    "copy_max_age_seconds": "Age that the newest set may have which was copied to this destination.",
}
