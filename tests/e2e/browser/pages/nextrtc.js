// A peer as a client of NextRTC makes it, written from the messages of the protocol alone: it knows nothing of the broker.
// A test drives it through `window.peer`.

const MEDIA = { audio: true, video: { width: 160, height: 120, frameRate: 15 } };

class Peer {
  #socket;
  #stream = null;
  #work = Promise.resolve(); // messages are handled one after the other

  constructor() {
    this.id = ""; // learned from the first message
    this.conversation = null; // {id, type}
    this.heard = []; // all messages but pings and candidates
    this.pings = 0;
    this.candidates = {}; // how many came, by member
    this.failures = [];
    this.connections = new Map(); // RTCPeerConnection by member
    this.videos = new Map();
  }

  /** Opens the socket; with `media` the camera is opened before, as callers do. */
  async open(url, media) {
    this.#stream = media ? await navigator.mediaDevices.getUserMedia(MEDIA) : null;
    this.#socket = new WebSocket(url);
    this.#socket.onmessage = ({ data }) => {
      this.#work = this.#work.then(() => this.#take(JSON.parse(data))).catch((error) => this.failures.push(String(error)));
    };
    await new Promise((resolve, reject) => {
      this.#socket.onopen = resolve;
      this.#socket.onerror = () => reject(new Error("the socket did not open"));
    });
  }

  create(id, type) {
    this.#send("create", { content: id, custom: { type } });
  }

  join(id) {
    this.#send("join", { content: id });
  }

  text(content, to) {
    this.#send("text", { to, content });
  }

  leave() {
    this.#send("left");
    this.conversation = null;
    for (const member of [...this.connections.keys()]) this.#release(member);
  }

  /** Video frames decoded so far, by the member they come from. */
  async frames() {
    const found = {};
    for (const [member, connection] of this.connections) {
      found[member] = 0;
      for (const receiver of connection.getReceivers()) {
        for (const stats of (await receiver.getStats()).values()) {
          if (stats.type === "inbound-rtp" && stats.kind === "video") found[member] += stats.framesDecoded ?? 0;
        }
      }
    }
    return found;
  }

  look() {
    const { id, conversation, heard, pings, candidates, failures } = this;
    const states = Object.fromEntries([...this.connections].map(([member, { connectionState }]) => [member, connectionState]));
    return { id, conversation, heard, pings, candidates, failures, states };
  }

  #send(signal, values = {}) {
    this.#socket.send(JSON.stringify({ signal, ...values }));
  }

  async #take(message) {
    this.id ||= message.to;
    const { signal, from, content } = message;
    if (from && !this.conversation) return; // was on its way when we left
    if (signal === "ping") this.pings += 1;
    else if (signal === "candidate") this.candidates[from] = (this.candidates[from] ?? 0) + 1;
    else this.heard.push(message);
    if (signal === "created" || signal === "joined") this.conversation = { id: content, ...message.custom };
    else if (signal === "offerRequest") await this.#offer(from);
    else if (signal === "answerRequest") await this.#answer(from, content);
    else if (signal === "finalize") await this.connections.get(from).setRemoteDescription({ type: "answer", sdp: content });
    else if (signal === "candidate") await this.connections.get(from).addIceCandidate(JSON.parse(content));
    else if (signal === "left") this.#release(from);
    else if (signal === "end") this.conversation = null;
  }

  async #offer(member) {
    const connection = this.#connect(member);
    await connection.setLocalDescription(await connection.createOffer());
    this.#send("offerResponse", { to: member, content: connection.localDescription.sdp });
  }

  async #answer(member, sdp) {
    const connection = this.#connect(member);
    await connection.setRemoteDescription({ type: "offer", sdp });
    await connection.setLocalDescription(await connection.createAnswer());
    this.#send("answerResponse", { to: member, content: connection.localDescription.sdp });
  }

  #connect(member) {
    const connection = new RTCPeerConnection();
    this.connections.set(member, connection);
    for (const track of this.#stream?.getTracks() ?? []) connection.addTrack(track, this.#stream);
    connection.onicecandidate = ({ candidate }) => {
      if (candidate) this.#send("candidate", { to: member, content: JSON.stringify(candidate) });
    };
    connection.ontrack = ({ streams }) => this.#show(member, streams[0]);
    return connection;
  }

  #show(member, stream) {
    if (this.videos.has(member)) return;
    const video = Object.assign(document.createElement("video"), { autoplay: true, muted: true, srcObject: stream });
    this.videos.set(member, video);
    document.body.append(video);
  }

  #release(member) {
    this.connections.get(member)?.close();
    this.connections.delete(member);
    this.videos.get(member)?.remove();
    this.videos.delete(member);
    delete this.candidates[member];
  }
}

window.peer = new Peer();
