"""What Compose, 1 and 2, puts on its containers: https://github.com/docker/compose/blob/main/pkg/api/labels.go"""

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
FILES = "com.docker.compose.project.config_files"
"""Paths with commas between them, as they were given to Compose."""
DIRECTORY = "com.docker.compose.project.working_dir"
ENV_FILES = "com.docker.compose.project.environment_file"
"""Paths with commas between them, as they were given with ``--env-file``; absent without that."""
