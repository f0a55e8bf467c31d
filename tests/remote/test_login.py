"""Who gets in: encryption, pinned host keys, login keys."""

import logging
import socket
import traceback

import pytest

from cluster.lvs.command import Command
from cluster.remote.connection import login_key
from cluster.remote.paramiko_shell import fetch_host_key, new_key_pair, open_shell
from cluster.remote.shell import (
    HostKeyChanged,
    HostKeyUnknown,
    LoginRefused,
    Secret,
    Unreachable,
)
from tests.remote.sshd import Sshd, free_port

ECHO = Command(("echo", "hello"))


def test_the_encryption_is_the_one_we_chose(shell):
    transport = shell._connection
    assert transport.local_cipher == transport.remote_cipher == "aes128-gcm@openssh.com"
    assert transport.host_key_type == "ssh-ed25519"
    assert transport.agreed_on_strict_kex
    offered = transport.get_security_options()
    names = (*offered.ciphers, *offered.digests, *offered.kex, *offered.key_types)
    assert offered.kex[:2] == ("mlkem768x25519-sha256", "curve25519-sha256@libssh.org")
    for weak in ("cbc", "3des", "md5", "sha1", "group1-", "group14", "ssh-rsa", "96"):
        assert not [name for name in names if weak in name]


def test_small_packets_leave_at_once(shell):
    sock = shell._connection.wire._sock
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.parametrize(
    ("algorithms", "cipher"),
    [
        ("Ciphers aes256-ctr\nMACs hmac-sha2-512", "aes256-ctr"),
        ("Ciphers aes256-gcm@openssh.com", "aes256-gcm@openssh.com"),
        ("KexAlgorithms ecdh-sha2-nistp384", "aes128-gcm@openssh.com"),
    ],
)
def test_it_works_with_a_host_that_is_choosy(tmp_path, algorithms, cipher):
    server = Sshd(tmp_path, new_key_pair(), more=algorithms)
    try:
        with open_shell(server.target()) as shell:
            assert shell.run(ECHO).text == "hello\n"
            assert shell._connection.local_cipher == cipher
    finally:
        server.stop()


def test_weak_encryption_is_refused(tmp_path):
    more = "Ciphers aes128-cbc,3des-cbc"
    server = Sshd(tmp_path, new_key_pair(), more=more)
    try:
        with pytest.raises(Unreachable, match="no encryption that is accepted"):
            open_shell(server.target())
    finally:
        server.stop()


def test_a_host_key_that_nobody_approved_stops_it(sshd):
    with pytest.raises(HostKeyUnknown, match=r"lb01 \(127\.0\.0\.1 port"):
        open_shell(sshd.target(host_key=None))


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"])
def test_another_host_key_stops_it_before_the_login(odd_server, kind):
    approved, impostor = odd_server(key=kind), odd_server(key=kind)
    target = impostor.target(host_key=approved.host_key)
    with pytest.raises(HostKeyChanged) as caught:
        open_shell(target)
    assert impostor.logins == []
    assert caught.value.expected == approved.host_key
    assert caught.value.found == impostor.host_key
    assert approved.host_key.fingerprint in str(caught.value)
    assert impostor.host_key.fingerprint in str(caught.value)
    assert "lb01" in str(caught.value)


def test_another_type_of_host_key_is_not_taken_instead(odd_server):
    approved, impostor = odd_server(), odd_server(key="ecdsa-sha2-nistp256")
    with pytest.raises(
        HostKeyChanged, match="no longer has a key of the type"
    ) as caught:
        open_shell(impostor.target(host_key=approved.host_key))
    assert impostor.logins == []
    assert caught.value.found is None


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_every_type_of_host_key_can_be_approved(tmp_path, kind):
    server = Sshd(tmp_path, new_key_pair(), types=(kind,))
    try:
        found = fetch_host_key("127.0.0.1", server.port)
        assert found == server.host_keys[kind]
        with open_shell(server.target(host_key=found)) as shell:
            assert shell.run(ECHO).ok
    finally:
        server.stop()


def test_fetching_the_host_key_tries_no_login(odd_server):
    server = odd_server()
    assert fetch_host_key("127.0.0.1", server.port) == server.host_key
    assert server.logins == []


def test_fetching_from_a_closed_port_says_where():
    port = free_port()
    with pytest.raises(Unreachable, match=f"port {port}.*refused the connection"):
        fetch_host_key("127.0.0.1", port)


def test_a_wrong_login_key_is_refused(sshd):
    stranger = new_key_pair().private
    with pytest.raises(
        LoginRefused, match=r"refused the login of .* SHA256:"
    ) as caught:
        open_shell(sshd.target(private_key=stranger))
    assert stranger.reveal() not in f"{caught.value!s}{caught.value!r}"


def test_a_wrong_user_is_refused(sshd):
    with pytest.raises(LoginRefused, match="no-such-user"):
        open_shell(sshd.target(user="no-such-user"))


def test_a_second_factor_is_not_ours_to_give(tmp_path):
    more = "AuthenticationMethods publickey,publickey"
    server = Sshd(tmp_path, new_key_pair(), more=more)
    try:
        with pytest.raises(LoginRefused, match="more than a key: publickey"):
            open_shell(server.target())
    finally:
        server.stop()


def test_a_connection_lost_at_the_login_is_no_refusal(odd_server):
    with pytest.raises(Unreachable, match=r"lb01 .* the connection"):
        open_shell(odd_server(refuse="login").target())


@pytest.mark.parametrize(
    "text", ["", "canary", "-----BEGIN OPENSSH PRIVATE KEY-----\n"]
)
def test_a_login_key_that_is_none_does_not_show(sshd, text):
    with pytest.raises(ValueError, match="ed25519") as caught:
        open_shell(sshd.target(private_key=Secret(text)))
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_a_login_key_is_parsed_once():
    private = new_key_pair().private
    assert login_key(private) is login_key(Secret(private.reveal()))


def test_nothing_secret_is_logged(sshd, caplog):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="paramiko")
    with open_shell(sshd.target()) as shell:
        shell.run(Command(("cat",), stdin=b"canary-4711"))
    assert caplog.text
    assert "canary-4711" not in caplog.text
    for line in sshd.pair.private.reveal().splitlines()[1:-1]:
        assert line not in caplog.text
