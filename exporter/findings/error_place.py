"""What may be said of an unexpected error: neither its message nor the values at hand, which may be secrets."""


def place_of(error: BaseException) -> str:
    """The line of our code that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
