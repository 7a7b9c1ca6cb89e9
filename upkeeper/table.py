"""The table of commands: their names by section, and where each is found."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

Word = Literal["task", "target", "probe", "run", "unfinished", "approval", "backup", "verifiable", "set"]


class Entry(NamedTuple):
    """A command that is not imported yet."""

    where: str
    """``module:attribute`` below upkeeper.commands."""
    help: str
    """Its line in the list of commands."""
    completes: Sequence[Word] = ()
    """What its arguments are completed to, in order, as the command's own ``shell_complete`` has it."""


SECTIONS: Mapping[str, Mapping[str, Entry]] = {
    "Run the services": {
        "up": Entry("services:up", "Start Prometheus, Alertmanager, exporter and remediator."),
        "exporter": Entry("services:exporter", "Start the exporter: it measures."),
        "remediator": Entry("services:remediator", "Start the remediator: it acts."),
    },
    "Look": {
        "status": Entry("status:status", "Show what is wrong, and what is being done about it."),
        "probe": Entry("probe:probe", "Run the probes of a service now.", ("probe",)),
        "alerts": Entry("alerts:alerts", "List the alerts that were received."),
        "decisions": Entry("alerts:decisions", "List what was decided about each alert, and why."),
        "explain": Entry("explain:explain", "Explain what would be decided about an alert now, and why."),
        "backtest": Entry("backtest:backtest", "Tell what the remedies would have done about past alerts."),
        "history": Entry("runs:history", "List runs."),
        "show": Entry("runs:show", "Show one run with its actions.", ("run",)),
        "hosts": Entry("hosts:hosts", "List the hosts that share a database, and how busy each is."),
        "rollouts": Entry("rollout:rollouts", "List rollouts, or show one with its hosts."),
        "audit": Entry("audit:audit", "Read, verify and export the audit."),
        "report": Entry("report:report", "Report what was done, what is open, and what has changed."),
        "diagnose": Entry("diagnose:diagnose", "Write one archive with what tells what is wrong."),
        "tasks": Entry("tasks:tasks", "List tasks and their targets."),
        "schedule": Entry("schedule:schedule", "List the jobs of the schedule, or say why one did not run."),
        "sets": Entry("backups:sets", "List the sets of backups, with their age, size and proofs.", ("backup",)),
        "mcp": Entry("mcp:mcp", "Serve what can be read to an AI assistant (MCP, over stdio)."),
        "remedies": Entry("tasks:remedies", "List remedies with their autonomy and track."),
    },
    "Act": {
        "plan": Entry("tasks:plan", "Show what a task would do. Changes nothing.", ("task", "target")),
        "run": Entry("runs:run", "Run a task and follow it.", ("task", "target")),
        "rollout": Entry(
            "rollout:rollout", "Run a task on many hosts, wave after wave, and follow it.", ("task", "target")
        ),
        "cancel": Entry("runs:cancel", "Cancel a run: no other action of it begins.", ("unfinished",)),
        "approvals": Entry("approvals:approvals", "List plans that wait for a person."),
        "approve": Entry("approvals:approve", "Approve the plan of a run, and follow the run.", ("approval",)),
        "deny": Entry("approvals:deny", "Deny the plan of a run, which ends by that.", ("approval",)),
        "verify": Entry("backups:verify", "Verify sets of a backup, and note what that has shown.", ("verifiable",)),
        "restore": Entry(
            "restore:restore", "Restore a set, or a part of one, into a directory, a database or in place.", ("set",)
        ),
        "sandbox": Entry("sandbox:sandbox", "List sandboxes, and remove what a crash left of them."),
        "pause": Entry("control:pause", "Hold back runs, of one task or of all.", ("task",)),
        "resume": Entry("control:resume", "Let runs proceed after a pause.", ("task",)),
        "autonomy": Entry("control:autonomy", "Promote a remedy, or give it back the autonomy of the config."),
        "breaker": Entry("control:breaker", "Close an open breaker."),
        "drill": Entry("drill:drill", "Rehearse a breach on the running stack, end to end."),
    },
    "Set up": {
        "check": Entry("configuration:check", "Check the config file."),
        "config": Entry("configuration:config", "Show the effective config or its JSON Schema."),
        "check-web": Entry("web:check_web", "Check a web config file: TLS, users, headers."),
        "hash-password": Entry("web:hash_password", "Make the hash of a password for a web config."),
        "install": Entry("install:install", "Write the units that start the services."),
        "uninstall": Entry("install:uninstall", "Remove the units that start the services."),
        "state": Entry("state:state", "Back up and restore the state directory."),
        "token": Entry("token:token", "Make, list and revoke the tokens of the API."),
        "completion": Entry("completion:completion", "Print the completion script of a shell."),
    },
}
