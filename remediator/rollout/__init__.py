"""Rollouts: a task on many hosts, wave after wave. Pure but for the driver and what it looks at."""
