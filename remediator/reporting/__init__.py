"""The maintenance report: what was done, what is open, what has changed; as HTML, Markdown and JSON."""
