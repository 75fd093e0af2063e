"""The connection to the authority: kept while it is open, made anew where the authority closed an idle one."""

import asyncio

from sealgate.adapters.authorities.http import HttpAuthority

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def test_an_idle_connection_that_was_closed_is_made_anew(tmp_path):
    """Two calls over one connection; after the authority closed it, the next call does not fail."""

    async def scenario():
        writers = []

        async def serve(reader, writer):
            writers.append(writer)
            try:
                while True:
                    await reader.readuntil(b"\r\n\r\n")
                    writer.write(ANSWER)
            except (EOFError, OSError):
                writer.close()

        server = await asyncio.start_unix_server(serve, tmp_path / "s")
        authority = HttpAuthority(f"unix:{tmp_path / 's'}")
        first = [(await authority.exchange("GET /healthz", b""))[0] for _ in range(2)]
        shared = len(writers)
        writers[0].close()
        for _ in range(10):  # turns of the loop, and not only time: in one the end is sent, in a later one it is seen
            await asyncio.sleep(0.005)
        after = (await authority.exchange("GET /healthz", b""))[0]
        await authority.close()
        server.close()
        for writer in writers:
            writer.close()
            await writer.wait_closed()
        return first, shared, after, len(writers)

    assert asyncio.run(scenario()) == ([200, 200], 1, 200, 2)
