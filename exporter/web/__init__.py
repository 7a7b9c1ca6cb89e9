"""TLS and users before the applications, by a file in the format of Prometheus's exporter-toolkit.

The format: https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md
Nothing of this package is imported unless ``--web.config.file`` is given.
"""
