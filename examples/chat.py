"""A chat in the terminal: what you type goes to everyone in the room; Ctrl-D leaves.

Start a cluster that knows who its clients are::

    export RTCBROKER_AUTH_SECRET=$(openssl rand -hex 32)
    rtcbroker coordinator &
    rtcbroker commserver &

then, in a terminal each, with the same secret in the environment::

    python examples/chat.py --token "$(rtcbroker token --subject alice --publish 'chat/*' --subscribe 'chat/*')"
    python examples/chat.py --token "$(rtcbroker token --subject bob --publish 'chat/*' --subscribe 'chat/*')"

Names are the subjects of the tokens, as the server verified them: nobody can speak in another's name. Kill a comm server while you
talk (start two of them): the chat goes on by the other one.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import threading

from rtcbroker import Client, ClientState, RtcBrokerError, Subscription


async def chat(url: str, token: str | None, room: str) -> None:
    """Type and read until the end of input."""
    topic = f"chat/{room}"
    async with Client(url, token=token) as client, client.subscribe(topic) as packets:
        client.on_state(tell_state)
        client.on_error(lambda error: print(f"-- {error}"))
        print(f"-- you are in {room!r}; type, or leave with Ctrl-D")
        reading = asyncio.create_task(read(packets))
        lines = typed_lines()
        while line := await lines.get():
            if line.strip():
                await client.publish(topic, line.rstrip("\n"), identity=True)
        reading.cancel()


async def read(packets: Subscription) -> None:
    """Print what the others say."""
    async for packet in packets:
        print(f"{packet.identity or packet.sender}: {packet.body.decode(errors='replace')}", flush=True)


def tell_state(state: ClientState, cause: RtcBrokerError | None) -> None:
    """Say when the connection is lost and when it is back; what is typed meanwhile is sent then."""
    if state in (ClientState.CONNECTED, ClientState.RECONNECTING):
        print(f"-- {state.value}" + (f" ({cause})" if cause else ""), flush=True)


def typed_lines() -> asyncio.Queue[str]:
    """Lines as they are typed; an empty text is the end. A thread waits for them: the event loop must not."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str] = asyncio.Queue(1)

    def wait() -> None:
        for line in itertools.chain(sys.stdin, [""]):
            asyncio.run_coroutine_threadsafe(lines.put(line), loop).result()

    threading.Thread(target=wait, daemon=True).start()
    return lines


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="A chat in the terminal.")
    parser.add_argument("--url", default="ws://localhost:9090", help="the coordinator (default: %(default)s)")
    parser.add_argument("--token", help="your token; it may publish and subscribe to chat/*")
    parser.add_argument("--room", default="lobby", help="the room (default: %(default)s)")
    options = parser.parse_args()
    try:
        asyncio.run(chat(options.url, options.token, options.room))
    except RtcBrokerError as error:
        raise SystemExit(f"chat: {error}") from error
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
