"""The tasks of this family, made of a config."""

import platform as machine
from collections.abc import Sequence
from pathlib import Path

from exporter import __version__
from exporter.inventory.backups import Backup as Series
from remediator.config.config import Config
from remediator.model.task import Task
from remediator.peers.places import Peers
from remediator.tasks.backup.journal import Owner
from remediator.tasks.backup.task import Backup
from remediator.tasks.backup_verification.task import BackupVerification
from remediator.tasks.disaster_recovery.task import DisasterRecoveryTest
from remediator.tasks.image_update.alerts import Alerts
from remediator.tasks.image_update.check import ImageCheck
from remediator.tasks.image_update.data import Data, Tasks
from remediator.tasks.image_update.distribution import Known
from remediator.tasks.image_update.means import Means
from remediator.tasks.image_update.task import ImageUpdate
from remediator.tasks.resources import Resources
from remediator.tasks.restore_in_place.task import RestoreInPlace


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    """Updates, and the look at all that could be updated."""
    state_dir = resources.state_dir or Path()
    owner = Owner(host=machine.node(), state="" if resources.state_dir is None else str(resources.state_dir))
    made_by = f"upkeeper {__version__}"
    series: Sequence[Series] = config.backups
    own = Tasks(
        Backup(series, config.postgres, owner, made_by, lambda: resources.docker, neo4j=config.neo4j),
        BackupVerification(series, resources.state_dir),
        RestoreInPlace(series, config.postgres, owner, made_by, lambda: resources.docker),
        DisasterRecoveryTest(series, lambda: resources.docker, resources.state_dir),
    )
    means = Means(
        engine=resources.docker,
        state_dir=state_dir,
        known=resources.memory.of(Known),
        alerts=Alerts(Peers(lambda: config, state_dir)),
        data=Data(series, own),
        has_state=resources.state_dir is not None,
    )
    keep_label = config.docker.cleanup.keep_label
    update = ImageUpdate(config.images, config.services, keep_label, means)
    return [update, ImageCheck(update.looker, config.images, resources.state_dir, resources.docker)]
