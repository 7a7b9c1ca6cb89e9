"""How what a client asked for can fail, and the exit status that a command then has."""

from exporter.base.errors import UpkeeperError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_BLOCKED = 3
EXIT_UNREACHABLE = 4
EXIT_INTERRUPTED = 130
"""As a shell reports a program that SIGINT ended."""


class ClientError(UpkeeperError):
    """What was asked for was not done. The message is for people; its first line says it all.

    exit_code: the command's exit status: 1 failed, 2 usage or config, 3 blocked or waiting, 4 the service cannot be
    reached. guard: the guard that blocked, when one did.
    """

    def __init__(self, message: str, exit_code: int, guard: str | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.guard = guard

    def document(self) -> dict[str, object]:
        """The error as JSON: ``{"error": {"message", "exit_code", "guard"?}}``."""
        error: dict[str, object] = {"message": str(self), "exit_code": self.exit_code}
        if self.guard is not None:
            error["guard"] = self.guard
        return {"error": error}


class RequestError(ClientError):
    """A request was not done. status: as in HTTP."""

    def __init__(self, message: str, status: int, exit_code: int, guard: str | None = None) -> None:
        super().__init__(message, exit_code, guard)
        self.status = status


class NoRoom(RequestError):
    """Something cannot be written because a file system is full, or takes no writes. The message names it and says what
    to do.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, 503, EXIT_FAILED)


def bad_request(message: str) -> RequestError:
    """It cannot be understood."""
    return RequestError(message, 400, EXIT_USAGE)


def unprocessable(message: str) -> RequestError:
    """It can be understood, and is wrong."""
    return RequestError(message, 422, EXIT_USAGE)


def not_found(message: str) -> RequestError:
    """There is no such task, target, run or hold."""
    return RequestError(message, 404, EXIT_USAGE)


def conflict(message: str) -> RequestError:
    """It was asked for too late, or about something that has changed."""
    return RequestError(message, 409, EXIT_BLOCKED)


def refused(guard: str, reason: str) -> RequestError:
    """A guard blocks it."""
    return RequestError(f"{guard}: {reason}", 409, EXIT_BLOCKED, guard)


def unavailable(message: str) -> RequestError:
    """The target cannot be looked at now."""
    return RequestError(message, 503, EXIT_FAILED)
