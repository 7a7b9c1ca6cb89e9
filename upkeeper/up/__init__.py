"""`upkeeper up`: starts Prometheus, Alertmanager, the exporter and the remediator, and keeps them running."""
