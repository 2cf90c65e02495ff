"""Two clients meet in a topic: alice says hello on both channels until bob has heard both.

Start a cluster on this machine, without tokens::

    rtcbroker coordinator --auth none
    rtcbroker commserver --auth none

then::

    python examples/hello.py

It prints what arrives, and ends::

    alice is client 2401395716301 on server 3611073413622
    bob is client 1021906230712 on server 3611073413622
    bob heard 'hello' from client 2401395716301 on the unreliable channel
    bob heard 'hello' from client 2401395716301 on the reliable channel
    a ping to alice's server and back takes 0.9 ms

Where tokens are asked for, as in ``rtcbroker demo``, which prints one::

    python examples/hello.py --token TOKEN --topic demo/hello
"""

from __future__ import annotations

import argparse
import asyncio

from rtcbroker import Client, RtcBrokerError, Subscription


async def hello(url: str, token: str | None, topic: str) -> None:
    """Let alice talk to bob."""
    async with Client(url, token=token) as alice, Client(url, token=token) as bob:
        print(f"alice is client {alice.alias} on server {alice.server}")
        print(f"bob is client {bob.alias} on server {bob.server}")
        # Inside this block bob's server has acknowledged the topic; if alice's is another one, it learns of it within milliseconds.
        async with bob.subscribe(topic) as packets:
            listening = asyncio.create_task(listen(packets))
            while not listening.done():
                await alice.publish(topic, "hello")
                await alice.publish(topic, "hello", reliable=False)
                await asyncio.wait([listening], timeout=0.2)
            await listening
        print(f"a ping to alice's server and back takes {1000 * await alice.ping():.1f} ms")


async def listen(packets: Subscription) -> None:
    """Read until there was something on both channels."""
    missing = {"reliable", "unreliable"}
    async with asyncio.timeout(10):
        async for packet in packets:
            channel = "reliable" if packet.reliable else "unreliable"
            if channel in missing:
                print(f"bob heard {packet.body.decode()!r} from client {packet.sender} on the {channel} channel")
                missing.remove(channel)
            if not missing:
                return


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Two clients meet in a topic.")
    parser.add_argument("--url", default="ws://localhost:9090", help="the coordinator (default: %(default)s)")
    parser.add_argument("--token", help="a token that may publish and subscribe to the topic")
    parser.add_argument("--topic", default="room/1", help="where they meet (default: %(default)s)")
    options = parser.parse_args()
    try:
        asyncio.run(hello(options.url, options.token, options.topic))
    except (RtcBrokerError, TimeoutError) as error:
        raise SystemExit(f"hello: {error or 'bob heard nothing'}") from error


if __name__ == "__main__":
    main()
