"""Who is let in."""

import pytest
from rfs_viewer.gate import SHORTEST, Gate, chosen_token, is_loopback, is_own_page


def test_only_loopback_goes_without_a_token() -> None:
    assert chosen_token("127.0.0.1", "") == ("", False)
    assert chosen_token("::1", "") == ("", False)
    made, made_up = chosen_token("0.0.0.0", "")
    assert made_up
    assert len(made) > SHORTEST
    assert made != chosen_token("0.0.0.0", "")[0]
    assert chosen_token("0.0.0.0", "a long enough secret") == ("a long enough secret", False)
    with pytest.raises(ValueError, match="12 characters"):
        chosen_token("127.0.0.1", "short")
    with pytest.raises(ValueError, match="12 characters"):
        chosen_token("127.0.0.1", " " * SHORTEST)


def test_a_token_from_a_file_with_a_line_end_opens() -> None:
    token, _ = chosen_token("0.0.0.0", " a long enough secret\n")
    assert Gate(token).problem("a", "a long enough secret") == ""


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "::", "192.168.1.5", "robot.example", "127.0.0.1.evil.example"]
)
def test_what_is_not_loopback(address: str) -> None:
    assert not is_loopback(address)


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        ("http://127.0.0.1:8090", True),
        ("http://localhost:9000", True),  # through a tunnel
        ("http://[::1]:8090", True),
        ("http://evil.example", False),
        ("http://127.0.0.1.evil.example:8090", False),
        ("http://127.0.0.1@evil.example", False),
        ("null", False),
        ("", False),
        ("http://[::1", False),
    ],
)
def test_pages_of_this_machine(origin: str, own: bool) -> None:
    assert is_own_page(origin) == own


def test_wrong_tokens_make_their_source_wait_longer_and_longer() -> None:
    now = [0.0]
    gate = Gate("a long enough secret", clock=lambda: now[0])
    assert "not the token" in gate.problem("a", "guess")
    assert "Wait 1 s" in gate.problem("a", "a long enough secret")
    assert gate.problem("b", " a long enough secret\n") == ""
    now[0] = 1.0
    assert "not the token" in gate.problem("a", "gues\u00df")
    now[0] = 2.5
    assert "Wait" in gate.problem("a", "a long enough secret")
    now[0] = 3.0
    assert gate.problem("a", "a long enough secret") == ""
    assert gate.problem("a", "a long enough secret") == ""


def test_many_sources_do_not_fill_the_memory() -> None:
    gate = Gate("a long enough secret")
    for number in range(3000):
        gate.problem(str(number), "guess")
    assert len(gate._blocked) <= 1000
