"""The collector of cycles, held while there is work that it would only slow down."""

import contextlib
import gc
import threading

from exporter.base.cycles import no_search_for_cycles


def test_the_collector_is_on_again_when_the_last_block_ends_however_it_ends() -> None:
    assert gc.isenabled()
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with contextlib.suppress(ValueError), no_search_for_cycles():
            entered.set()
            leave.wait(30)
            raise ValueError

    thread = threading.Thread(target=other)
    with no_search_for_cycles():
        thread.start()
        assert entered.wait(30)
        assert not gc.isenabled()
    assert not gc.isenabled()
    leave.set()
    thread.join(30)
    assert gc.isenabled()


def test_where_it_was_off_it_stays_off() -> None:
    gc.disable()
    try:
        with no_search_for_cycles():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
