"""Start Firefox with the arguments given, and stand between it and Playwright.

Playwright speaks WebDriver BiDi with a stock Firefox, but asks it first for a colour scheme, which the long-term
releases of Firefox cannot be asked for: they answer "unknown command", and Playwright gives up. This says yes instead.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import threading

from tornado import httpserver, netutil, web, websocket

LACKING = "emulation.setMediaFeaturesOverride"
LARGEST = 10**9  # bytes of a message


class Between(websocket.WebSocketHandler):
    """Passes messages on, in order, in both directions."""

    def initialize(self, port):
        self.port = port
        self.lacking = set()  # the numbers of questions that Firefox cannot answer

    async def open(self, path):
        self.firefox = await websocket.websocket_connect(f"ws://127.0.0.1:{self.port}/{path}", max_message_size=LARGEST)
        asyncio.get_running_loop().create_task(self.pass_answers_on())

    async def on_message(self, message):
        question = json.loads(message)
        if question["method"] == LACKING:
            self.lacking.add(question["id"])
        await self.firefox.write_message(message)

    async def pass_answers_on(self):
        while (message := await self.firefox.read_message()) is not None:
            answer = json.loads(message)
            if answer.get("id") in self.lacking and answer.get("error") == "unknown command":
                message = json.dumps({"type": "success", "id": answer["id"], "result": {}})
            await self.write_message(message)
        self.close()

    def on_close(self):
        self.firefox.close()


async def main():
    firefox = subprocess.Popen([os.environ["FIREFOX"], *sys.argv[1:]], stderr=subprocess.PIPE, text=True)
    port = next(found[1] for line in firefox.stderr if (found := re.search(r"listening on ws://127.0.0.1:(\d+)", line)))
    threading.Thread(target=firefox.stderr.read, daemon=True).start()  # or its pipe would fill, and it would stop
    application = web.Application([(r"/(.*)", Between, {"port": port})], websocket_max_message_size=LARGEST)
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    httpserver.HTTPServer(application).add_sockets(sockets)
    print(f"WebDriver BiDi listening on ws://127.0.0.1:{sockets[0].getsockname()[1]}", file=sys.stderr, flush=True)
    sys.exit(await asyncio.to_thread(firefox.wait))


if __name__ == "__main__":
    asyncio.run(main())
