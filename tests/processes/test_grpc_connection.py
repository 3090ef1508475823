"""A gRPC connection asked by a client's side of h2: what it holds its client to, and how it ends."""

import asyncio
import contextlib
import gzip
import socket
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from h2 import events
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hyperframe.frame import DataFrame, SettingsFrame

from app.grpc_calls import Code, Refused
from app.processes.grpc_budget import Budget
from app.processes.grpc_connection import CLOSING_SECONDS, IDLE_SECONDS
from app.processes.grpc_http2 import ANY_STREAM, CONNECTION_WINDOW, MOST_HEADER_BYTES, MOST_STREAMS
from app.processes.grpc_messages import framed, status_headers
from tests.processes.grpc_talk import ASKED, GOAWAY, LIMITS, SETTINGS, SOON_SECONDS, Client, Talk, talk
from tests.waiting import until


def test_a_call_is_answered_and_counted() -> None:
    async def asking(it: Talk) -> None:
        stream = it.client.ask(message=b"question")
        await it.client.ended(stream)

        assert it.client.message(stream) == b"question"
        assert it.client.status(stream) == ("0", "")
        assert (it.desk.place.in_flight, it.desk.place.requests, it.desk.place.connections) == (0, 1, 1)

    talk(asking)


def test_what_is_asked_before_the_client_has_heard_of_the_end_is_answered() -> None:
    async def asking(it: Talk) -> None:
        it.client.acknowledges = False
        held = it.client.ask("/held")
        await it.service.entered.wait()
        it.connection.leave()
        await until(lambda: it.client.goaways == [ANY_STREAM])
        late = it.client.ask(message=b"late")
        await until(lambda: len(it.client.goaways) == 2)
        await it.client.ended(late)
        assert not it.client.lost.is_set()
        it.service.let_go.set()
        await it.client.ended(held)
        await until(it.client.lost.is_set)

        assert it.client.goaways == [ANY_STREAM, late]
        assert (it.client.message(late), it.client.message(held)) == (b"late", b"hello")

    talk(asking)


def test_a_client_that_does_not_say_that_it_has_heard_is_not_waited_for() -> None:
    async def asking(it: Talk) -> None:
        it.client.acknowledges = False
        it.connection.leave()
        await until(it.client.lost.is_set)

        assert it.client.goaways == [ANY_STREAM, 0]

    talk(asking)


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\n", b"\xff\xff\xff\0\0\0\0\0\1"])
def test_a_frame_that_is_too_long_ends_the_connection_before_it_has_come(sent: bytes) -> None:
    async def asking(it: Talk) -> None:
        it.client.transport.write(sent)
        await until(it.client.lost.is_set)

        # Of GOAWAY, the last stream that was taken.
        assert it.client.goaways == [0]
        assert it.desk.place.connections == 0

    talk(asking)


def test_who_speaks_no_http2_is_let_go() -> None:
    async def asking(it: Talk) -> None:
        reader, writer = await asyncio.open_connection(*it.client.transport.get_extra_info("peername"))
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(SOON_SECONDS):
            told = await reader.read()
            writer.close()
            await writer.wait_closed()
        await until(lambda: it.desk.place.connections == 1)
        stream = it.client.ask()
        await it.client.ended(stream)

        # The server's own first word, and then the end.
        assert told[3] == SETTINGS
        assert it.client.message(stream) == b"hello"

    talk(asking)


def test_a_client_that_ends_its_connection_still_gets_the_answers_that_are_under_way() -> None:
    async def asking(it: Talk) -> None:
        held = it.client.ask("/held")
        await it.service.entered.wait()
        it.client.transport.write(bytes([0, 0, 8, GOAWAY, 0, 0, 0, 0, 0]) + bytes(8))
        await until(lambda: it.client.goaways)
        it.service.let_go.set()
        await it.client.ended(held)

        assert it.client.message(held) == b"hello"

    talk(asking)


def test_more_streams_than_there_may_be_are_refused_for_the_client_to_ask_again() -> None:
    async def asking(it: Talk) -> None:
        # It has not acknowledged yet how many there may be.
        it.client.http2.data_to_send()
        it.client.http2.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 1000
        it.client.http2.remote_settings.acknowledge()
        asked = [it.client.ask("/held") for _ in range(MOST_STREAMS + 1)]
        await until(lambda: it.client.of(asked[-1], events.StreamReset))
        it.service.let_go.set()
        await it.client.ended(asked[-2])

        assert it.client.of(asked[-1], events.StreamReset)[0].error_code == ErrorCodes.REFUSED_STREAM
        assert len(it.service.calls) == MOST_STREAMS

    talk(asking, acknowledges=False)


def test_a_connection_that_says_nothing_from_its_beginning_is_ended() -> None:
    async def asking(it: Talk) -> None:
        reader, writer = await asyncio.open_connection(*it.client.transport.get_extra_info("peername"))
        # The server's first word.
        assert await reader.read(9)
        it.desk.sweep(asyncio.get_running_loop().time() + LIMITS.header_seconds + 1)
        async with asyncio.timeout(SOON_SECONDS):
            with contextlib.suppress(ConnectionResetError):
                while await reader.read(100):
                    pass
        writer.close()
        stream = it.client.ask()
        await it.client.ended(stream)

    talk(asking)


def test_a_large_answer_waits_for_its_clients_windows() -> None:
    message = bytes(range(256)) * 1024

    async def asking(it: Talk) -> None:
        stream = it.client.ask(message=message)
        await until(lambda: len(it.client.message(stream)) > 60_000)
        assert not it.client.of(stream, events.StreamEnded)
        it.client.http2.increment_flow_control_window(2**20, stream)
        it.client.send()
        await it.client.ended(stream)

        assert it.client.message(stream) == message

    talk(asking)


@pytest.mark.parametrize(("path", "told"), [
    ("/refused", ("5", "100 %25 no%0Amodel %C3%A9")), ("/fault", ("13", "The server failed")),
])  # fmt: skip
def test_what_is_not_answered_has_its_status(path: str, told: tuple[str, str]) -> None:
    async def asking(it: Talk) -> None:
        stream = it.client.ask(path)
        await it.client.ended(stream)

        assert it.client.status(stream) == told
        assert it.desk.place.in_flight == 0

    talk(asking)


def test_each_answer_names_its_call_and_its_worker() -> None:
    async def asking(it: Talk) -> None:
        own, other = it.client.ask(x_request_id="mine"), it.client.ask("/refused", x_request_id="not sane")
        await it.client.ended(own)
        await it.client.ended(other)

        assert it.client.headers(own)["x-request-id"] == "mine"
        assert len(it.client.headers(other)["x-request-id"]) == 32
        assert it.client.headers(own)["x-worker"] == it.client.headers(other)["x-worker"] == "0"
        assert it.service.calls[0].request_id == "mine"

    talk(asking)


@pytest.mark.parametrize(
    "wrong",
    [{"content_type": "application/json"}, {"content_type": "application/grpc-web"}, {":method": "GET"}],
    ids=str,
)
def test_what_is_no_grpc_is_told_so_in_http(wrong: dict[str, str]) -> None:
    async def asking(it: Talk) -> None:
        stream = it.client.ask(**wrong)
        await it.client.ended(stream)

        assert it.client.headers(stream)[":status"] == "415"
        assert not it.service.calls
        assert it.desk.place.in_flight == 0

    talk(asking)


def test_a_call_is_refused_before_its_message_has_come() -> None:
    async def asking(it: Talk) -> None:
        stream = it.client.ask("/refused", end=False)
        await until(lambda: it.client.of(stream, events.StreamReset))

        assert it.client.status(stream)[0] == "5"
        assert it.client.of(stream, events.StreamReset)[0].error_code == ErrorCodes.NO_ERROR

    talk(asking)


def test_a_message_that_does_not_come_is_given_up() -> None:
    async def asking(it: Talk) -> None:
        stream = it.client.ask(end=False)
        await it.service.entered.wait()
        it.sweep_after(LIMITS.request_seconds)
        await until(lambda: it.client.of(stream, events.StreamReset))

        assert it.client.status(stream) == ("4", "The request did not arrive in time")
        assert it.desk.place.in_flight == 0

    talk(asking)


@pytest.mark.parametrize("size", [2**20, 2**20 + 1])
def test_a_message_is_taken_to_the_limit_and_refused_beyond_it(size: int) -> None:
    async def asking(it: Talk) -> None:
        stream = it.client.ask("/held", message=bytes(size), end=size <= LIMITS.message_bytes)
        await until(lambda: it.service.messages)

        if size <= LIMITS.message_bytes:
            assert it.service.messages == [bytes(size)]
        else:
            assert it.service.messages == [Refused(Code.RESOURCE_EXHAUSTED, "The message is larger than 1048576 bytes")]
            it.service.let_go.set()
            await until(lambda: it.client.of(stream, events.StreamReset))
            assert it.client.status(stream)[0] == "8"

    talk(asking)


@pytest.mark.parametrize(("encoding", "body", "told"), [
    ("gzip", framed(gzip.compress(b"hello")), b"hello"),
    ("deflate", framed(zlib.compress(b"hello")), b"hello"),
    ("gzip", framed(gzip.compress(bytes(2**20 + 1))), Code.RESOURCE_EXHAUSTED),
    ("gzip", framed(gzip.compress(b"hello") + b"more"), Code.INTERNAL),
    ("gzip", framed(gzip.compress(b"hello")[:-1]), Code.INTERNAL),
    ("gzip", framed(b"hello"), Code.INTERNAL),
    ("zstd", framed(b"hello"), Code.UNIMPLEMENTED),
    ("identity", framed(b"hello"), Code.INTERNAL),
], ids=["gzip", "deflate", "too large", "more behind it", "cut off", "none", "unknown", "untold"])  # fmt: skip
def test_a_compressed_message_is_decompressed(encoding: str, body: bytes, told: bytes | Code) -> None:
    async def asking(it: Talk) -> None:
        stream = it.client.ask_in_bytes(b"\1" + body[1:], grpc_encoding=encoding)
        await it.client.ended(stream)

        if isinstance(told, Code):
            assert it.client.status(stream)[0] == str(told.value)
        else:
            assert it.client.message(stream) == told

    talk(asking)


@pytest.mark.parametrize(
    "body", [b"", b"\0\0", framed(b"hello")[:-1], framed(b"hello") * 2, b"\2" + framed(b"hi")[1:]], ids=len
)
def test_what_is_not_one_message_is_refused(body: bytes) -> None:
    async def asking(it: Talk) -> None:
        stream = it.client.ask_in_bytes(body)
        await it.client.ended(stream)

        assert it.client.status(stream) == ("13", "The request is not one message")

    talk(asking)


def test_a_call_that_its_client_drops_knows_it() -> None:
    async def asking(it: Talk) -> None:
        asked = it.client.ask("/held")
        unsent = it.client.ask("/echo", end=False)
        await until(lambda: len(it.service.calls) == 2 and len(it.service.messages) == 1)
        for stream in (asked, unsent):
            it.client.http2.reset_stream(stream, ErrorCodes.CANCEL)
        it.client.send()
        await until(lambda: len(it.service.messages) == 2)
        it.service.let_go.set()
        await asyncio.gather(*it.desk.tasks)

        assert [call.caller.has_left() for call in it.service.calls] == [True, True]
        assert it.service.messages[1] == Refused(Code.CANCELLED, "The client has left")
        assert it.desk.place.in_flight == 0

    talk(asking)


def test_an_answer_that_its_client_does_not_read_is_given_up() -> None:
    async def asking(it: Talk) -> None:
        stream = it.client.ask(message=bytes(2**17))
        await until(lambda: len(it.client.message(stream)) > 60_000)
        it.sweep_after(LIMITS.request_seconds)
        await until(lambda: it.client.of(stream, events.StreamReset))

        assert it.client.of(stream, events.StreamReset)[0].error_code == ErrorCodes.CANCEL
        assert it.desk.place.in_flight == 0

    talk(asking)


def test_what_its_client_does_not_read_is_in_flight_until_it_does() -> None:
    async def asking(it: Talk) -> None:
        it.client.http2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 2**24})
        it.client.send()
        await it.client.answered_a_ping()
        it.client.transport.pause_reading()
        unread = [it.client.ask(message=bytes(2**20)) for _ in range(14)]
        await until(lambda: len(it.service.messages) > 1 and it.connection.transport.get_write_buffer_size())
        await until(lambda: len(it.service.messages) > it.service.ended)
        in_flight = it.desk.place.in_flight
        it.client.transport.resume_reading()
        for stream in unread:
            await it.client.ended(stream)

        assert in_flight > 0
        assert it.desk.place.in_flight == 0
        assert {len(it.client.message(stream)) for stream in unread} == {2**20}
        it.sweep_after(LIMITS.request_seconds)
        await it.client.ended(it.client.ask())

    talk(asking)


def test_what_is_unsent_at_the_end_is_forgotten() -> None:
    async def asking(it: Talk) -> None:
        unread = it.client.ask(message=bytes(2**17))
        await until(lambda: len(it.client.message(unread)) > 60_000)
        connection = it.connection
        connection.shutdown()
        connection.resume_writing()
        await until(it.client.lost.is_set)

        assert (it.service.ended, it.desk.place.in_flight) == (1, 0)

    talk(asking)


def test_a_call_that_comes_after_the_last_is_refused_for_its_client_to_ask_again() -> None:
    async def asking(it: Talk) -> None:
        held = it.client.ask("/held")
        await it.service.entered.wait()
        it.connection.hang_up()
        later = it.client.ask()
        await until(lambda: it.client.of(later, events.StreamReset))
        it.service.let_go.set()
        await it.client.ended(held)

        assert it.client.of(later, events.StreamReset)[0].error_code == ErrorCodes.REFUSED_STREAM
        assert len(it.service.calls) == 1

    talk(asking)


def test_an_answer_ends_its_call_once_it_is_away() -> None:
    async def asking(it: Talk) -> None:
        stream = it.client.ask(message=bytes(2**17))
        await until(lambda: len(it.client.message(stream)) > 60_000)
        assert it.service.ended == 0
        it.client.http2.increment_flow_control_window(2**20, stream)
        it.client.send()
        await it.client.ended(stream)
        await until(lambda: it.service.ended == 1)

    talk(asking)


def drops(client: Client) -> None:
    stream = client.http2.get_next_available_stream_id()
    client.http2.send_headers(stream, ASKED)
    client.http2.reset_stream(stream, ErrorCodes.CANCEL)


@pytest.mark.parametrize("frame", [
    drops,
    lambda client: client.http2.ping(b"12345678"),
    lambda client: client.http2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 70_000}),
    lambda client: client.http2.prioritize(1, weight=7),
    lambda client: client.http2.increment_flow_control_window(1),
    lambda client: client.transport.write(DataFrame(stream_id=1, data=b"").serialize()),
    lambda client: client.transport.write(SettingsFrame(flags=["ACK"]).serialize()),
], ids=["RST_STREAM", "PING", "SETTINGS", "PRIORITY", "WINDOW_UPDATE", "DATA", "ACK"])  # fmt: skip
@pytest.mark.parametrize("floods", [1, 2])
def test_a_client_that_sends_too_many_frames_that_bring_nothing_is_told_to_leave_and_if_it_goes_on_cut_off(
    frame: Callable[[Client], None], floods: int
) -> None:
    async def asking(it: Talk) -> None:
        await it.client.ended(it.client.ask())
        held = it.client.ask("/held")
        await until(lambda: len(it.service.messages) == 2)
        for _ in range(floods * int(Budget.MOST) + 200):
            frame(it.client)
        it.client.send()
        if floods == 1:
            await until(lambda: it.client.goaways)
            it.service.let_go.set()
            await it.client.ended(held)
        await until(it.client.lost.is_set)

        assert it.client.message(held) == (b"hello" if floods == 1 else b"")
        assert it.client.told_off == (floods == 2)
        assert it.desk.place.in_flight == 0

    talk(asking)


def test_a_client_that_asks_may_send_other_frames_with_each_call() -> None:
    async def asking(it: Talk) -> None:
        for _ in range(int(Budget.MOST)):
            for _ in range(3):
                it.client.http2.ping(b"12345678")
            await it.client.ended(it.client.ask())

        assert not it.client.goaways

    talk(asking)


@pytest.mark.parametrize("then", ["window", "reset"])
def test_frames_that_come_together_cost_no_other_call(then: str) -> None:
    async def asking(it: Talk) -> None:
        held = it.client.ask("/held")
        large = it.client.ask(message=bytes(2**18))
        await until(lambda: len(it.client.message(large)) > 60_000)
        if then == "window":
            it.client.http2.increment_flow_control_window(2**17, large)
        it.client.http2.reset_stream(large, ErrorCodes.CANCEL)
        it.client.send()
        it.service.let_go.set()
        await it.client.ended(held)

        assert it.client.message(held) == b"hello"

    talk(asking)


@pytest.mark.parametrize("path", ["/echo", "/refused"])
def test_a_stray_request_costs_no_call_of_others(path: str) -> None:
    async def asking(it: Talk) -> None:
        held = it.client.ask("/held")
        stream = it.client.http2.get_next_available_stream_id()
        it.client.http2.send_headers(
            stream, [*ASKED[:2], (":path", path), *ASKED[3:-1], ("content-type", "text/plain")]
        )
        it.client.http2.send_data(stream, b"what?", end_stream=True)
        it.client.send()
        await it.client.ended(stream)
        it.service.let_go.set()
        await it.client.ended(held)

        assert it.client.headers(stream)[":status"] == "415"
        assert it.client.message(held) == b"hello"

    talk(asking)


def test_a_call_that_comes_with_the_word_that_its_client_has_heard_is_answered() -> None:
    async def asking(it: Talk) -> None:
        it.client.acknowledges = False
        it.connection.leave()
        await until(lambda: any(type(each) is events.PingReceived for each in it.client.told))
        acknowledged = it.client.http2.data_to_send()
        stream = it.client.http2.get_next_available_stream_id()
        it.client.http2.send_headers(stream, ASKED)
        it.client.http2.send_data(stream, framed(b"late"), end_stream=True)
        it.client.transport.write(acknowledged + it.client.http2.data_to_send())
        await it.client.ended(stream)

        assert it.client.message(stream) == b"late"
        assert it.client.goaways == [ANY_STREAM, stream]

    talk(asking)


def test_the_last_answer_is_whole_though_its_client_speaks_while_it_reads() -> None:
    async def asking(it: Talk) -> None:
        it.client.http2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 2**24})
        it.client.send()
        stream = it.client.ask("/held", message=bytes(2**20))
        await until(lambda: it.service.messages)
        it.client.transport.pause_reading()
        it.connection.hang_up()
        it.service.let_go.set()
        await until(lambda: not it.connection.unanswered or it.connection.transport.get_write_buffer_size())
        it.client.http2.ping(b"12345678")
        it.client.send()
        it.client.transport.resume_reading()
        await it.client.ended(stream)

        assert len(it.client.message(stream)) == 2**20

    talk(asking)


@asynccontextmanager
async def ended(it: Talk) -> AsyncIterator[socket.socket]:
    """A client that was sent all and has not closed, and whose connection is the only one."""
    with socket.create_connection(it.client.transport.get_extra_info("peername")) as client:
        await until(lambda: len(it.desk.open_connections()) == 2)
        for connection in it.desk.open_connections():
            connection.hang_up()
        await until(lambda: len(it.desk.open_connections()) == 1)
        yield client


def test_a_client_that_does_not_close_is_closed() -> None:
    async def asking(it: Talk) -> None:
        async with ended(it) as client:
            it.sweep_after(CLOSING_SECONDS - 2)
            assert it.desk.place.connections == 1
            it.sweep_after(CLOSING_SECONDS)
            await until(lambda: it.desk.place.connections == 0)

            assert client.recv(9)

    talk(asking)


def test_a_client_that_goes_on_sending_after_the_end_is_cut_off() -> None:
    async def asking(it: Talk) -> None:
        async with ended(it) as client:
            client.setblocking(False)
            sent = 0

            def is_cut_off() -> bool:
                nonlocal sent
                try:
                    sent += client.send(bytes(2**16))
                except BlockingIOError:
                    return False
                except ConnectionError:
                    return True
                return False

            await until(is_cut_off)

        assert sent > CONNECTION_WINDOW
        assert it.desk.place.connections == 0

    talk(asking)


def test_settings_that_there_are_not_are_not_kept_and_the_table_of_headers_stays_small() -> None:
    async def asking(it: Talk) -> None:
        settings = dict.fromkeys(range(100, 250), 7) | {SettingCodes.HEADER_TABLE_SIZE: 2**32 - 1}
        it.client.transport.write(SettingsFrame(settings=settings).serialize())
        await it.client.answered_a_ping()
        kept = it.connection._http2

        assert len(kept.remote_settings) < 10
        assert kept.encoder.header_table_size == 4096
        await it.client.ended(it.client.ask("/refused"))
        kept_headers = dict(it.client.http2.decoder.header_table.dynamic_entries)
        assert b"content-type" in kept_headers
        assert not {b"x-request-id", b"grpc-message"} & set(kept_headers)

    talk(asking)


def test_a_client_is_told_what_it_is_held_to() -> None:
    async def asking(it: Talk) -> None:
        told = it.client.http2.remote_settings

        assert (told.max_concurrent_streams, told.max_header_list_size) == (MOST_STREAMS, MOST_HEADER_BYTES)
        stream = it.client.http2.get_next_available_stream_id()
        it.client.http2.send_headers(stream, [*ASKED, ("x", "y" * MOST_HEADER_BYTES)])
        it.client.send()
        await until(it.client.lost.is_set)

    talk(asking)


def test_what_a_client_is_told_of_a_refusal_is_no_longer_than_a_header_may_be() -> None:
    [_, (name, detail)] = status_headers(Refused(Code.INTERNAL, "x" * 100_000))

    assert (name, len(detail)) == (b"grpc-message", 2000)


def test_frames_that_bring_nothing_are_earned_by_answers_and_by_time_up_to_the_most() -> None:
    budget = Budget(0.0)
    assert all(budget.spend(0.0) for _ in range(1000))
    assert not budget.spend(0.0)
    for _ in range(2):
        budget.earn()
    assert [budget.spend(0.0) for _ in range(8)] == [*[True] * 7, False]
    assert all(budget.spend(1.0) for _ in range(19))
    assert not budget.spend(1.0)
    for _ in range(1000):
        budget.earn()
    assert sum(budget.spend(1.0) for _ in range(2000)) == 1000


def test_a_connection_without_calls_is_idle_whatever_else_it_says_and_at_last_told_to_leave() -> None:
    async def asking(it: Talk) -> None:
        await it.client.ended(it.client.ask())
        it.sweep_after(1)
        assert it.desk.place.engaged == 1
        await it.client.answered_a_ping()
        it.sweep_after(2)
        assert it.desk.place.engaged == 0
        await it.client.ended(it.client.ask())
        it.sweep_after(100)
        it.sweep_after(IDLE_SECONDS + 50)
        await it.client.answered_a_ping()
        assert not it.client.goaways
        it.sweep_after(IDLE_SECONDS + 103)
        await until(it.client.lost.is_set)

        assert it.client.goaways == [ANY_STREAM, 3]

    talk(asking)


def test_a_call_engages_an_idle_connection() -> None:
    async def asking(it: Talk) -> None:
        it.sweep_after(1)
        it.sweep_after(2)
        assert it.desk.place.engaged == 0
        await it.client.ended(it.client.ask())

        assert it.desk.place.engaged == 1

    talk(asking)


def test_a_client_that_comes_while_the_worker_leaves_is_told_so() -> None:
    async def asking(it: Talk) -> None:
        it.desk.draining = True
        reader, writer = await asyncio.open_connection(*it.client.transport.get_extra_info("peername"))
        async with asyncio.timeout(SOON_SECONDS):
            sent = await reader.read()
        writer.close()
        await writer.wait_closed()

        assert sent.count(bytes([0, 0, 8, GOAWAY])) == 2

    talk(asking)
