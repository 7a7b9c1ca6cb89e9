"""What the ids of findings begin with: the kind of finding, before what it is about."""

from exporter.inventory.checks import CHECKS

_OWN = (
    "container-pid: container-privileged: container-socket: failed-logins: image-age: login-after-failures: port: "
    "reboot: updates: vulnerabilities: vulnerability:"
)
KINDS = (*_OWN.replace(":", "").split(), *CHECKS)
