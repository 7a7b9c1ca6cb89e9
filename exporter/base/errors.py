"""The base of all errors that are foreseen."""


class UpkeeperError(Exception):
    """Something that may happen and is no mistake of the program: a server is down, a file cannot be read.

    The message is one line for people, holds no secret, and can be shown and recorded as it is.
    """
