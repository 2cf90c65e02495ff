// An application of somebody else's site: it takes the SDK from the broker's coordinator, which is another origin, and talks.
// A test drives it through `window.app`; whatever fails there comes back as {error}, since only plain data leaves a page.

const port = new URLSearchParams(location.search).get("port");
const sdk = await import(`http://127.0.0.1:${port}/sdk/rtcbroker.js`);

const SHOWN_LINES = 20;

const app = {
  client: null,
  states: [], // {state, error, at}: as the client told them, with performance.now()
  errors: [],
  subscriptions: [], // {handle, packets, count}

  /** Joins. A token is text, or {subject, ...} to be fetched from this site whenever the client asks for one. */
  async connect({ url = `ws://127.0.0.1:${port}`, token, options } = {}) {
    const given = token && typeof token === "object" ? () => fetchToken(token) : (token ?? undefined);
    app.client = await sdk.connect(url, { token: given, options: options ?? undefined });
    app.states.length = 0;
    app.client.on("state", (state, cause) => {
      app.states.push({ state, error: cause ? plain(cause) : null, at: performance.now() });
      show();
    });
    app.client.on("error", (error) => app.errors.push(plain(error)));
    show();
    return look();
  },

  /** Subscribes. With `keep` packets are kept to be looked at, else only counted. */
  async subscribe(topics, { partial = false, keep = true } = {}) {
    const subscription = { handle: null, packets: [], count: 0, bytes: 0 };
    const take = (packet) => {
      subscription.count += 1;
      subscription.bytes += packet.body.length;
      if (keep) {
        subscription.packets.push(readable(packet));
        line(`${packet.topic} ${packet.sender}: ${packet.text()}`);
      }
    };
    subscription.handle = await app.client.subscribe(topics, take, { partial });
    return app.subscriptions.push(subscription) - 1;
  },

  /** Subscribes without a callback: packets wait in a queue until `read` takes those that are there. */
  async queue(topics, size) {
    app.reader = await app.client.subscribe(topics, { queue: size });
  },
  queued: () => app.reader.dropped,
  async read(count) {
    const texts = [];
    for await (const packet of app.reader) {
      texts.push(packet.text());
      if (texts.length === count) break;
    }
    return texts;
  },

  update: (number, change) => app.subscriptions[number].handle.update(change),
  unsubscribe: (number) => app.subscriptions[number].handle.close(),
  topics: (number) => [...app.subscriptions[number].handle.topics],

  publish: (topic, body, options) => app.client.publish(topic, body, options),
  publishBytes: (topic, bytes, options) => app.client.publish(topic, Uint8Array.from(bytes), options),
  publishJson: (topic, value, options) => app.client.publishJson(topic, value, options),

  /** Publishes `count` packets of `size` bytes without waiting; tells how many were taken. */
  flood(topic, count, size, options) {
    const body = new Uint8Array(size);
    let taken = 0;
    for (let number = 0; number < count; number += 1) {
      new DataView(body.buffer).setUint32(0, number);
      taken += app.client.publishNowait(topic, body, options) ? 1 : 0;
    }
    return taken;
  },

  /** Publishes without end, `hz` times a second, until `stop()`. */
  beat(topic, hz, size) {
    const body = new Uint8Array(size);
    app.timer = setInterval(() => app.client.publishNowait(topic, body, { reliable: false }), 1000 / hz);
  },
  stop: () => clearInterval(app.timer),

  ping: () => app.client.ping(),
  close: () => app.client.close(),
};

function look() {
  const { state, alias, server, stats } = app.client;
  const dropped = Object.fromEntries(Object.entries(stats.dropped).filter(([, count]) => count > 0));
  return { state, alias, server, stats: { ...stats, dropped } };
}

async function fetchToken(how) {
  const response = await fetch(`/token?${new URLSearchParams(how)}`);
  if (!response.ok) throw new Error(`no token: status ${response.status}`);
  return response.text();
}

/** All that a packet tells, as plain data. */
function readable(packet) {
  const { topic, sender, body, reliable, identity, role } = packet;
  let json = null;
  try {
    json = packet.json();
  } catch {
    // Not every packet is JSON.
  }
  return { topic, sender, bytes: [...body], text: packet.text(), json, reliable, identity: identity ?? null, role: role ?? null };
}

function plain(error) {
  return {
    name: error.name,
    kinds: Object.entries(sdk).filter(([, made]) => typeof made === "function" && made.prototype instanceof Error && error instanceof made).map(([name]) => name),
    code: error.code ?? 0,
    reason: error.reason ?? error.message,
    retry: error.retry ?? null,
    topic: error.topic ?? null,
    topics: error.topics ? Object.fromEntries(error.topics) : null,
  };
}

function show() {
  document.querySelector("#state").value = app.client.state;
}

function line(text) {
  const log = document.querySelector("#log");
  const item = document.createElement("li");
  item.textContent = text.slice(0, 200);
  log.append(item);
  if (log.children.length > SHOWN_LINES) log.firstChild.remove();
}

window.app = app;
window.call = async (name, args) => {
  try {
    return { value: (await app[name](...args)) ?? null };
  } catch (error) {
    return { error: plain(error) };
  }
};
window.look = look;
document.querySelector("#state").value = "loaded";
