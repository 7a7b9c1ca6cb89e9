"""What a remedy may do by itself."""

from typing import Literal

Autonomy = Literal["observe", "approve", "auto"]
"""Record what would run; plan, and wait for a person; or act."""
