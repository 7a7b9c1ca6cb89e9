"""Makes the Grafana dashboards in grafana/dashboards from short definitions: ``python -m scripts.dashboards``."""
