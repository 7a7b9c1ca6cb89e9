"""The four ports, and the message when one is taken."""

import os
import socket

import pytest

from remediator.model.errors import ClientError
from tests.ports import free_port
from upkeeper.up.ports import Ports, require_free


def test_the_ports_follow_the_base() -> None:
    assert Ports.from_base(10746) == Ports(exporter=10746, remediator=10747, prometheus=10748, alertmanager=10749)


@pytest.mark.parametrize("base", [-1, 0, 65533, 100_000])
def test_a_base_without_room_for_four_is_a_usage_error(base: int) -> None:
    with pytest.raises(ClientError) as caught:
        Ports.from_base(base)
    assert caught.value.exit_code == 2
    assert str(base) in str(caught.value)


def test_the_highest_base_is_accepted() -> None:
    assert Ports.from_base(65532).alertmanager == 65535


def test_a_port_in_use_names_the_port_and_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ClientError) as caught:
            require_free({"Prometheus": port})
    message = str(caught.value)
    assert f"port {port}, for Prometheus, is in use by" in message
    assert f"(pid {os.getpid()})" in message
    assert "--port-base" in message


def test_a_listener_on_all_addresses_holds_the_port_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener, pytest.raises(ClientError, match=f"pid {os.getpid()}"):
        require_free({"Prometheus": listener.getsockname()[1]})


def test_every_taken_port_is_named_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        taken = {"the exporter": one.getsockname()[1], "Alertmanager": two.getsockname()[1]}
        with pytest.raises(ClientError) as caught:
            require_free(taken)
    for name, port in taken.items():
        assert f"port {port}, for {name}," in str(caught.value)


def test_a_port_whose_last_connection_lingers_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        client = socket.create_connection(address)
        served, _ = listener.accept()
        served.close()  # the side that closes first is left in TIME_WAIT
        client.close()
    require_free({"the exporter": address[1]})


def test_free_ports_are_no_error() -> None:
    require_free({"the exporter": free_port()})
