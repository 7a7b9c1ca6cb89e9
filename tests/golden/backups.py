"""Backups: a directory of sets, a restic repository and a directory that is away, as on the morning of 2026-11-24."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from prometheus_client.core import Metric

from exporter.backups import results as stored
from exporter.backups.copies import Copy
from exporter.backups.families import Standing
from exporter.backups.families import families as build
from exporter.backups.proofs import Proofs, Shown
from exporter.backups.restic import parse_size, parse_snapshots
from exporter.backups.retention import Why
from exporter.backups.sets import BackupSet, Content, figures, judge
from exporter.inventory.backups import Backup

NOW = 1795510800.0
"""2026-11-24T09:00:00Z"""

DAY = 86400.0

_SOUND = Shown(True, NOW - DAY)
SOUND: Proofs = {"checksums": _SOUND, "readable": _SOUND, "restored": _SOUND}
DAMAGED: Proofs = {"checksums": Shown(True, NOW - 7200), "readable": Shown(False, NOW - 7100, "x.dump ends early")}

SETS = {
    "backup-2026-08-26_020000Z": Content(81_234_567, NOW - 90 * DAY, NOW - 90 * DAY, marked=True),
    "backup-2026-11-21_020000Z": Content(104_857_600, NOW - 3 * DAY, NOW - 3 * DAY, marked=True),
    "backup-2026-11-22_020000Z": Content(105_906_176, NOW - 2 * DAY, NOW - 2 * DAY, marked=True, proofs=SOUND),
    "backup-2026-11-23_020000Z": Content(106_954_752, NOW - DAY, NOW - DAY, marked=True, proofs=DAMAGED),
    "backup-2026-11-24_020000Z": Content(41_943_040, NOW - 24_900, NOW - 24_900, marked=True),
    "backup-2026-11-24_090000Z": Content(1_048_576, NOW - 2, NOW - 2),
    "backup-2026-10-02_020000Z": Content(7_340_032, NOW - 53 * DAY, NOW - 53 * DAY, unreadable=1),
    "backup-2026-10-03_020000Z": Content(0, NOW - 52 * DAY, NOW - 52 * DAY),
    "backup-2027-01-01_020000Z": Content(9, NOW + 38 * DAY, NOW - DAY, marked=True),
}

RESULTS = """{
 "version": 1,
 "backup": "pa",
 "verifications": {
  "checksums": {"set": "backup-2026-11-23_020000Z", "success": true, "finished": 1795402800.0, "detail": "412 files"},
  "readable": {"set": "backup-2026-11-23_020000Z", "success": true, "finished": 1795402860.5, "detail": ""},
  "restored": {"set": "backup-2026-11-22_020000Z", "success": false, "finished": 1795316400.0, "detail": "no role"}
 },
 "restore_test": {"set": "backup-2026-08-26_020000Z", "success": true, "finished": 1787738400.0, "detail": "",
  "recovered_seconds": 341.5, "data_age_seconds": 25200.0}
}"""

MADE = {
    "make": {"files": ["/srv/pa"]},
    "copy_to": [{"name": "offsite", "restic": {"repository": "sftp:b@h:/r", "password_file": "/p"}, "max_age": "2d"}],
}

SNAPSHOTS = """[
{"time":"2026-11-21T03:10:18.563945948Z","tree":"4f59319a","paths":["/srv/pa"],"hostname":"pa","username":"root",
 "tags":["pa"],"id":"196e02e4c16e37a2c6fd599fb8c5c1231789fefb8d865a694138d508ec4f7733","short_id":"196e02e4"},
{"time":"2026-11-24T04:10:19.242036066+01:00","parent":"196e02e4","tree":"27d121bb","paths":["/srv/pa"],"hostname":"pa",
 "username":"root","program_version":"restic 0.18.1","summary":{"backup_start":"2026-11-24T04:10:19.242036066+01:00",
 "backup_end":"2026-11-24T04:11:02.100000000+01:00","files_new":2,"total_files_processed":3,
 "total_bytes_processed":734003200},"id":"976fee18a9ab4c2e9e129a0bc76cc1959fcc95c6f90f39fe7eee5437165df03c",
 "short_id":"976fee18"}]"""

STATS = '{"total_size":733954048,"total_file_count":3,"snapshots_count":1}\n'


def families() -> Sequence[Metric]:
    """The families of the three."""
    return build([_directory(), _repository(), _away()])


def _directory() -> Standing:
    with tempfile.TemporaryDirectory() as state:
        path = stored.path_of(Path(state), "pa")
        path.parent.mkdir()
        path.write_text(RESULTS)
        results = stored.read(Path(state), "pa")
    sets = [
        judge(name, content, marker=False, settle=300.0, temporary=False, now=NOW) for name, content in SETS.items()
    ]
    limits = {
        "max_verify_age": "8d",
        "max_proven_age": {"readable": "9d", "restored": "40d"},
        "max_restore_test_age": "400d",
        "max_restore_time": "1h",
        "max_restore_data_age": "1d",
    }
    config = Backup.model_validate({"name": "pa", "path": "/srv/backups", "pattern": "backup-*", **limits, **MADE})
    copies = {"offsite": Copy("backup-2026-11-23_020000Z", False, NOW - 7200, "locked", NOW - 2 * DAY)}
    refusals: set[Why] = {"future", "smaller", "clock"}
    return Standing(config, True, figures(sets), results, refusals, room=52_428_800, copies=copies)


def _repository() -> Standing:
    restic = {"repository": "sftp:backup@host:/srv/restic/pa", "password_file": "/etc/upkeeper/restic-password"}
    sets = [
        BackupSet(each.id, "complete", each.time, parse_size(STATS) if each.bytes is None else each.bytes)
        for each in parse_snapshots(SNAPSHOTS)
    ]
    config = Backup.model_validate({"name": "pa-offsite", "restic": restic, "min_bytes": "1MiB"})
    return Standing(config, True, figures(sets), None)


def _away() -> Standing:
    config = Backup.model_validate({"name": "usb-disk", "path": "/media/usb", "pattern": "*", "max_age": "8d"})
    return Standing(config, False, None, None)
