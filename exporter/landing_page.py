"""The page at ``/``: what this is, where to go, how the collectors fare. Everything that is not ours is escaped."""

from collections.abc import Sequence
from html import escape

from exporter import __version__
from exporter.base.units import format_duration
from exporter.snapshot import Section

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 3rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
.failing { color: #c62828; font-weight: 600; }
"""

_LINKS = (
    ("/metrics", "metrics, for Prometheus"),
    ("/health", "all probes as JSON; status 503 if one fails"),
    ("/-/healthy", "the exporter runs"),
    ("/-/ready", "every collector has run once"),
)


def page(sections: Sequence[Section], now: float) -> str:
    """now: Unix seconds."""
    links = "".join(f'<li><a href="{path}">{path}</a>: {text}</li>' for path, text in _LINKS)
    rows = "".join(_row(section, now) for section in sections)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Upkeeper exporter</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><h1>Upkeeper exporter</h1><p>Version {escape(__version__)}</p><ul>{links}</ul>"
        "<table><caption>Collectors</caption><thead><tr><th>Name</th><th>State</th><th>Last success</th>"
        f"<th>Took</th><th>Every</th></tr></thead><tbody>{rows}</tbody></table></body></html>"
    )


def _row(section: Section, now: float) -> str:
    if section.success is None:
        state = "first collection in progress"
    elif section.success:
        state = "ok"
    else:
        state = f'<span class="failing">failing</span>: {escape(section.error)}'
    last = (
        "never" if section.last_success is None else f"{format_duration(max(0, round(now - section.last_success)))} ago"
    )
    cells = (
        escape(section.collector.name),
        state,
        last,
        f"{section.duration * 1000:.0f} ms",
        format_duration(section.collector.interval),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
