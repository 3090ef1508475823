"""HTTP/2 below gRPC: the limits that a client is told and held to, and how the end of a connection is announced."""

from collections.abc import Iterator

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event
from h2.exceptions import FrameTooLargeError, ProtocolError
from h2.settings import SettingCodes, Settings
from hyperframe.exceptions import InvalidPaddingError
from hyperframe.frame import Frame, GoAwayFrame, SettingsFrame

MOST_STREAMS = 128
MOST_HEADER_BYTES = 16 * 1024
# What a client may send before it hears that it was read.
STREAM_WINDOW = 2**20
CONNECTION_WINDOW = 2 * STREAM_WINDOW
FRAME_LENGTH_BYTES = 3
SLICE_BYTES = 2**14
SMALL_BYTES = 1024
KNOWN_SETTINGS = frozenset(SettingCodes)
HEADER_TABLE_BYTES = 4096
INITIAL_CONNECTION_WINDOW = 65_535
ANY_STREAM = 2**31 - 1


class Http2(H2Connection):
    """A server's side. Headers stay bytes; who reads them checks those that it needs."""

    DEFAULT_MAX_HEADER_LIST_SIZE = MOST_HEADER_BYTES
    # Of those that h2 remembers how they ended.
    MAX_CLOSED_STREAMS = 1024

    def __init__(self) -> None:
        super().__init__(
            H2Configuration(
                client_side=False, header_encoding=None, validate_inbound_headers=False,
                validate_outbound_headers=False, normalize_outbound_headers=False,
            )
        )  # fmt: skip
        self.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_HEADER_LIST_SIZE: MOST_HEADER_BYTES, SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            },
        )  # fmt: skip

    def begin(self) -> None:
        self.initiate_connection()
        # Apart, so that h2 holds the client to it only once it knows: until then a stream is refused by itself.
        self.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: MOST_STREAMS})
        self.increment_flow_control_window(CONNECTION_WINDOW - INITIAL_CONNECTION_WINDOW)

    def received(self, data: bytes) -> Iterator[Event]:
        """
        Each event before the next frame is looked at: else what is done about it would find its stream as it is later.

        A small frame that brings nothing is a bare Event. Raises H2Error; for an overlong frame at its beginning, of
        which h2 would first keep all 16 MB.
        """
        buffer = self.incoming_buffer
        # In slices, for h2 copies what is left of them with each frame.
        for start in range(0, len(data), SLICE_BYTES):
            buffer.add_data(data[start : start + SLICE_BYTES])
            buffer.max_frame_size = self.max_inbound_frame_size
            yield from self._buffered()
            if int.from_bytes(buffer._data[:FRAME_LENGTH_BYTES]) > buffer.max_frame_size:
                self.close_connection(ErrorCodes.FRAME_SIZE_ERROR)
                raise FrameTooLargeError

    def _buffered(self) -> Iterator[Event]:
        try:
            for frame in self.incoming_buffer:
                events = self._receive_frame(frame)
                yield from events or ([] if frame.body_len > SMALL_BYTES else [Event()])
        except InvalidPaddingError as error:
            self.close_connection(ErrorCodes.PROTOCOL_ERROR)
            raise ProtocolError from error
        except ProtocolError as error:
            self.close_connection(error.error_code)
            raise

    def _receive_settings_frame(self, frame: SettingsFrame) -> tuple[list[Frame], list[Event]]:
        """Codes that there are not are not kept, and the table of headers gets no larger than it is by default."""
        known = {code: value for code, value in frame.settings.items() if code in KNOWN_SETTINGS}
        if SettingCodes.HEADER_TABLE_SIZE in known:
            known[SettingCodes.HEADER_TABLE_SIZE] = min(known[SettingCodes.HEADER_TABLE_SIZE], HEADER_TABLE_BYTES)
        frame.settings = known
        settled: tuple[list[Frame], list[Event]] = super()._receive_settings_frame(frame)
        return settled

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        """For h2 the connection would be over; what its client has asked is still to be answered."""
        event = ConnectionTerminated()
        event.last_stream_id = frame.last_stream_id
        return [], [event]

    def going_away(self, last: int) -> bytes:
        """GOAWAY, after which h2 goes on: by its own a connection would be over at once."""
        return self.data_to_send() + GoAwayFrame(stream_id=0, last_stream_id=last).serialize()
