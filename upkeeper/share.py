"""Where the files lie that ship with Upkeeper and are not code: rules, templates, dashboards, the example config."""

from pathlib import Path


def share_path() -> Path:
    """The directory of ``prometheus/``, ``alertmanager/``, ``grafana/``, ``docs/runbooks/`` and ``upkeeper.yml``.

    Installed from a wheel that is a directory of this package, in a source tree its root.
    Raises FileNotFoundError when neither is there: the installation is broken.
    """
    package = Path(__file__).resolve().parent
    for candidate in (package / "share", package.parent):
        if (candidate / "prometheus" / "rules").is_dir():
            return candidate
    raise FileNotFoundError(f"the files that ship with Upkeeper are missing from {package / 'share'}; reinstall it")
