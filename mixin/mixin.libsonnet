// Upkeeper's alerts and dashboards as a monitoring mixin (https://monitoring.mixins.dev), for whoever builds with jsonnet.
// It is made of the files that ship, so that both are the same; tests/test_mixin.py says so.
local ruleFiles = [
  importstr '../prometheus/rules/alerting.yml',
  importstr '../prometheus/rules/audit.yml',
  importstr '../prometheus/rules/backups.yml',
  importstr '../prometheus/rules/containers.yml',
  importstr '../prometheus/rules/docker.yml',
  importstr '../prometheus/rules/filesystems.yml',
  importstr '../prometheus/rules/findings.yml',
  importstr '../prometheus/rules/forecasts.yml',
  importstr '../prometheus/rules/host.yml',
  importstr '../prometheus/rules/images.yml',
  importstr '../prometheus/rules/itself.yml',
  importstr '../prometheus/rules/logs.yml',
  importstr '../prometheus/rules/neo4j.yml',
  importstr '../prometheus/rules/postgres.yml',
  importstr '../prometheus/rules/schedule.yml',
  importstr '../prometheus/rules/services.yml',
  importstr '../prometheus/rules/sqlite.yml',
  importstr '../prometheus/rules/updates.yml',
  importstr '../prometheus/rules/watchdog.yml',
  importstr '../prometheus/rules/web.yml',
];

{
  _config+:: {
    // Where you have put the pages of docs/runbooks: alerts then link to URL/ALERT.md.
    runbooks: null,
    // Labels that every alert gets besides its own.
    alertLabels: {},
    // Tags of the dashboards besides their own.
    dashboardTags: [],
  },

  local config = self._config,

  prometheusAlerts+:: {
    groups+: [
      group {
        rules: [
          // What is recorded stands in the group of the alerts that read it, and has no runbook.
          if std.objectHas(rule, 'record') then rule else rule {
            labels+: config.alertLabels,
            annotations+: if config.runbooks == null then {} else {
              runbook_url: '%s/%s.md' % [config.runbooks, rule.alert],
            },
          }
          for rule in group.rules
        ],
      }
      for file in ruleFiles
      for group in std.parseYaml(file).groups
    ],
  },

  prometheusRules+:: { groups+: [] },

  local dashboards = {
    'upkeeper-backups.json': import '../grafana/dashboards/upkeeper-backups.json',
    'upkeeper-configuration.json': import '../grafana/dashboards/upkeeper-configuration.json',
    'upkeeper-containers.json': import '../grafana/dashboards/upkeeper-containers.json',
    'upkeeper-databases.json': import '../grafana/dashboards/upkeeper-databases.json',
    'upkeeper-host.json': import '../grafana/dashboards/upkeeper-host.json',
    'upkeeper-overview.json': import '../grafana/dashboards/upkeeper-overview.json',
    'upkeeper-remediation.json': import '../grafana/dashboards/upkeeper-remediation.json',
    'upkeeper-services.json': import '../grafana/dashboards/upkeeper-services.json',
  },

  grafanaDashboards+:: {
    [name]: dashboards[name] { tags+: config.dashboardTags }
    for name in std.objectFields(dashboards)
  },
}
