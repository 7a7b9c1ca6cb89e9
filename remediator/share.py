"""Where the files lie that ship with Upkeeper and are not code: rules, templates, dashboards, the example config."""

from pathlib import Path


def share_path() -> Path:
    """The directory of ``prometheus/``, ``alertmanager/``, ``grafana/``, ``docs/runbooks/`` and ``upkeeper.yml``.

    Installed from a wheel that is a directory of the package ``upkeeper``, in a source tree its root.
    Raises FileNotFoundError when neither is there: the installation is broken.
    """
    root = Path(__file__).resolve().parent.parent
    for candidate in (root / "upkeeper" / "share", root):
        if (candidate / "prometheus" / "rules").is_dir():
            return candidate
    raise FileNotFoundError(f"the files that ship with Upkeeper are missing from {root}/upkeeper/share; reinstall it")
