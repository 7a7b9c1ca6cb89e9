"""The most important alerts, shown firing and resolving on a real stack: `python -m scripts.show_alerts --help`."""
