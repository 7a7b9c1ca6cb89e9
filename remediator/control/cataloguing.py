"""The sets of backups that there are."""

import asyncio
import threading
from collections.abc import Callable, Sequence

from exporter.backups.directory import BackupDirectory
from exporter.backups.proofs import PROOFS_THERE_ARE
from exporter.backups.restic import Restic, ResticFailed, counting
from exporter.backups.retention import retention
from exporter.backups.sets import BackupSet
from exporter.base.text import format_time_ms, nearest
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.inventory.backups import Backup
from remediator.config.config import Config
from remediator.model.errors import not_found
from remediator.model.shapes.sets import SetsView, SetView

_SECONDS = 20.0


class Cataloguing:
    """Reads the directories of the config's backups. Needs no database. clock: Unix seconds."""

    def __init__(self, config: Callable[[], Config], clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._threads = KeyedThreads()

    async def sets(self, backup: str | None = None) -> SetsView:
        """Of one series, or of all that are in directories or that are made in a repository.

        One that cannot be read is named beside the others.
        """
        series = [each for each in self._config().backups if each.path is not None or each.make is not None]
        if backup is not None:
            series = self._chosen(backup, series)
        items: list[SetView] = []
        unread = []
        for one, found in zip(series, await asyncio.gather(*map(self._read, series)), strict=True):
            if isinstance(found, str):
                unread.append({"backup": one.name, "reason": found})
            else:
                kept = {each.set.name: each.reasons for each in retention(found, one, self._clock()).keep}
                items += [_view(one, each, kept.get(each.name, ())) for each in sorted(found, key=_age, reverse=True)]
        return {"items": items, "unread": unread}  # type: ignore[typeddict-item]

    def _chosen(self, backup: str, series: Sequence[Backup]) -> list[Backup]:
        chosen = [each for each in series if each.name == backup]
        if chosen:
            return chosen
        names = [each.name for each in series]
        hint = nearest(backup, names) or f"those in directories: {', '.join(names) or 'none'}"
        raise not_found(f"there is no backup {backup!r} in a directory; {hint}")

    async def _read(self, one: Backup) -> list[BackupSet] | str:
        """Its sets, or why they are not known."""
        stop = threading.Event()
        try:
            async with asyncio.timeout(_SECONDS):
                if one.restic is not None:
                    found = await Restic(counting(one), None).snapshots()
                    return [BackupSet(each.set or each.id, "complete", each.time, each.bytes) for each in found]
                return await self._threads.run(one.name, lambda: BackupDirectory(one, self._clock).read(stop))
        except (TimeoutError, StillStuck):
            return f"{one.path or 'the repository'} does not answer"
        except ResticFailed as error:
            return str(error)
        except OSError as error:
            return f"{one.path} cannot be read: {error.strerror or error}"
        finally:
            stop.set()


def _age(each: BackupSet) -> tuple[float, str]:
    return (each.date or 0.0, each.name)


def _view(one: Backup, each: BackupSet, kept: Sequence[str]) -> SetView:
    return {
        "backup": one.name,
        "name": each.name,
        "state": each.state,
        "made_at": None if each.date is None else format_time_ms(each.date),
        "bytes": each.bytes,
        "proofs": {
            proof: {
                "success": each.proofs[proof].success,
                "finished_at": format_time_ms(each.proofs[proof].finished),
                "detail": each.proofs[proof].detail,
            }
            for proof in PROOFS_THERE_ARE
            if proof in each.proofs
        },
        "kept": list(kept),
    }
