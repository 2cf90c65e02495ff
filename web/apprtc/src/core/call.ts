// One person's call: coming into the room, staying there, leaving, coming in again. Pure: events in, outputs out.
import { joinUrl, leaveUrl, type Place } from "./addresses.ts";
import { pause } from "./backoff.ts";
import type { Event, Output } from "./events.ts";
import { judgeRefusal } from "./judge.ts";
import { type Membership, parseJoinReply } from "./params.ts";
import { type Answer, Requests } from "./requests.ts";
import { isInside, type State } from "./states.ts";
import { type Loss, Stay } from "./stay.ts";

/** The state machine of one call. Change state by `handle`, do all it returns, then change it again. */
export class Call {
  readonly #place: Place;
  readonly #random: () => number;
  readonly #requests: Requests;
  readonly #emit = (output: Output): void => {
    this.#outputs.push(output);
  };
  #outputs: Output[] = [];
  #state: State = { name: "outside" };
  #stay: Stay | undefined;
  /** Changes with each try: the answer to a join that was given up is not wanted. */
  #joins = 0;
  #rejoins = 0;
  #rejoinAt: number | undefined;
  #peers = 0;
  #isReachable = true;

  /** @param random in [0, 1) */
  constructor(place: Place, random: () => number) {
    this.#place = place;
    this.#random = random;
    this.#requests = new Requests(this.#emit);
  }

  get state(): State {
    return this.#state;
  }

  /** Take an event at `now` (seconds on a clock that never steps back); returns what is to be done, in this order. */
  handle(event: Event, now: number): Output[] {
    this.#take(event, now);
    this.#stay?.pump(now);
    this.#tellReachable();
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  /** When to send `deadline`, at the latest; undefined for never. */
  nextDeadline(): number | undefined {
    const known = [...(this.#stay?.deadlines ?? []), this.#rejoinAt].filter((deadline) => deadline !== undefined);
    return known.length > 0 ? Math.min(...known) : undefined;
  }

  #take(event: Event, now: number): void {
    switch (event.kind) {
      case "enter":
        this.#enter();
        break;
      case "hangUp":
        this.#hangUp();
        break;
      case "pageGone":
        this.#pageGone();
        break;
      case "answered":
        this.#requests.answered(event.number, event, now);
        break;
      case "socketOpened":
        this.#stay?.onSocketOpened(now);
        break;
      case "socketLost":
        this.#stay?.onSocketLost(now);
        break;
      case "socketFrame":
        if (isInside(this.#state)) this.#stay?.onFrame(event.frame, now);
        break;
      case "deadline":
        this.#onDeadline(now);
        break;
      default:
        this.#stay?.onPeer(event, now);
    }
  }

  #tell(state: State): void {
    this.#state = state;
    if (state.name === "connected") this.#rejoins = 0;
    this.#emit({ kind: "stateChanged", state });
  }

  #tellReachable(): void {
    const isReachable = !isInside(this.#state) || (this.#stay?.isReachable ?? true);
    if (isReachable === this.#isReachable) return;
    this.#isReachable = isReachable;
    this.#emit({ kind: "reachable", isReachable });
  }

  #onDeadline(now: number): void {
    this.#stay?.tick(now);
    if (this.#rejoinAt !== undefined && this.#rejoinAt <= now) this.#join();
  }

  // --------------------------------------------------------------------------------------------------------- coming in

  #enter(): void {
    const { name } = this.#state;
    if (isInside(this.#state) || name === "joining" || name === "leaving") return;
    this.#rejoins = 0;
    this.#join();
  }

  #join(): void {
    this.#rejoinAt = undefined;
    this.#joins += 1;
    const number = this.#joins;
    if (this.#state.name !== "joining") this.#tell({ name: "joining" });
    const take = (answer: Answer, now: number) => this.#onJoinAnswer(number === this.#joins, answer, now);
    this.#requests.ask("POST", joinUrl(this.#place), "", take);
  }

  #onJoinAnswer(isWanted: boolean, answer: Answer, now: number): void {
    const reply = answer.status === 200 ? parseJoinReply(answer.body) : undefined;
    const member = reply?.membership;
    if (!isWanted) {
      // Who gave up while the answer was on its way must not be kept in the room.
      if (member) this.#requests.tell("POST", leaveUrl(this.#place, member.client));
    } else if (member) {
      this.#stayAs(member, now);
    } else if (reply?.result === "FULL") {
      this.#tell({ name: "full" });
    } else {
      this.#tell({ name: "failed", ...judgeRefusal(answer, reply?.result) });
    }
  }

  #stayAs(member: Membership, now: number): void {
    this.#stay = new Stay({
      place: this.#place,
      member,
      requests: this.#requests,
      emit: this.#emit,
      random: this.#random,
      number: () => {
        this.#peers += 1;
        return this.#peers;
      },
      tell: (state) => this.#tell(state),
      lost: (loss, then) => this.#onLost(loss, then),
    });
    this.#stay.start(now);
  }

  /** The place is gone, or may be. A call that stands goes on without it for as long as it lasts. */
  #onLost(loss: Loss, now: number): void {
    const stay = this.#stay;
    if (stay === undefined) return;
    if (loss.kind === "refused") {
      if (this.#state.name === "connected") return;
      stay.hangUpAtOnce();
      this.#stay = undefined;
      this.#tell({ name: "failed", ...judgeRefusal(loss.answer) });
      return;
    }
    stay.remove();
    this.#stay = undefined;
    this.#tell({ name: "joining" });
    const again = (then: number) => {
      this.#rejoinAt = then + pause(this.#rejoins, this.#random);
      this.#rejoins += 1;
    };
    if (loss.kind === "unknown") {
      again(now);
      return;
    }
    // Leave first, so that we do not meet ourselves.
    this.#joins += 1;
    const number = this.#joins;
    stay.leave((then) => {
      if (number === this.#joins) again(then);
    });
  }

  // ----------------------------------------------------------------------------------------------------------- leaving

  #hangUp(): void {
    if (this.#state.name === "joining") this.#left();
    if (!isInside(this.#state)) return;
    this.#tell({ name: "leaving" });
    this.#stay?.hangUp(() => this.#left());
  }

  #pageGone(): void {
    const { name } = this.#state;
    this.#stay?.hangUpAtOnce();
    if (isInside(this.#state) || name === "joining" || name === "leaving") this.#left();
  }

  #left(): void {
    this.#joins += 1;
    this.#rejoinAt = undefined;
    this.#stay = undefined;
    this.#tell({ name: "left" });
  }
}
