// Where to: from keys, or from a stick that appears where a finger (or the mouse) is put down and drawn away.

/** How far the stick goes, in CSS pixels, and how far it must be moved to do anything. */
const REACH_PX = 56;
const DEAD_PX = 7;

const KEYS: Readonly<Record<string, readonly [number, number]>> = {
  KeyW: [0, -1],
  ArrowUp: [0, -1],
  KeyS: [0, 1],
  ArrowDown: [0, 1],
  KeyA: [-1, 0],
  ArrowLeft: [-1, 0],
  KeyD: [1, 0],
  ArrowRight: [1, 0],
};

export interface Direction {
  readonly dx: number;
  readonly dy: number;
}

export interface Stick extends Direction {
  /** Where it was put down, in CSS pixels. */
  readonly x: number;
  readonly y: number;
  readonly reach: number;
}

/** The keys that are down; by their place on the keyboard, whatever its layout. */
export class Keys {
  private readonly down = new Set<string>();

  /** Whether the key is one of ours. */
  press(code: string): boolean {
    if (!(code in KEYS)) return false;
    this.down.add(code);
    return true;
  }

  release(code: string): void {
    this.down.delete(code);
  }

  clear(): void {
    this.down.clear();
  }

  direction(): Direction {
    let [dx, dy] = [0, 0];
    for (const code of this.down) {
      const [x, y] = KEYS[code] ?? [0, 0];
      dx += x;
      dy += y;
    }
    return shortened(Math.sign(dx), Math.sign(dy));
  }
}

/** Where a stick points that was moved so many CSS pixels; no longer than 1. */
export function stickDirection(x: number, y: number): Direction {
  const length = Math.hypot(x, y);
  if (length < DEAD_PX) return { dx: 0, dy: 0 };
  return shortened(x / REACH_PX, y / REACH_PX);
}

function shortened(dx: number, dy: number): Direction {
  const length = Math.max(1, Math.hypot(dx, dy));
  return { dx: dx / length, dy: dy / length };
}

export class Input {
  private readonly keys = new Keys();
  private pointer: { id: number; x: number; y: number; toX: number; toY: number } | undefined;

  /** @param onMove called when you move for the first time, and whenever again */
  constructor(
    canvas: HTMLElement,
    private readonly onMove: () => void,
  ) {
    window.addEventListener("keydown", (event) => this.onKey(event));
    window.addEventListener("keyup", (event) => this.keys.release(event.code));
    // Keys that are let go while the page is not looked at are never told.
    window.addEventListener("blur", () => this.clear());
    document.addEventListener("visibilitychange", () => this.clear());
    canvas.addEventListener("pointerdown", (event) => this.onDown(canvas, event));
    canvas.addEventListener("pointermove", (event) => this.onDrag(event));
    for (const kind of ["pointerup", "pointercancel", "lostpointercapture"] as const)
      canvas.addEventListener(kind, (event) => {
        if (event.pointerId === this.pointer?.id) this.pointer = undefined;
      });
  }

  direction(): Direction {
    return this.pointer ? this.stickPoints(this.pointer) : this.keys.direction();
  }

  /** The stick, while there is one. */
  stick(): Stick | undefined {
    if (!this.pointer) return undefined;
    return { x: this.pointer.x, y: this.pointer.y, reach: REACH_PX, ...this.stickPoints(this.pointer) };
  }

  clear(): void {
    this.keys.clear();
    this.pointer = undefined;
  }

  private stickPoints(pointer: { x: number; y: number; toX: number; toY: number }): Direction {
    return stickDirection(pointer.toX - pointer.x, pointer.toY - pointer.y);
  }

  private onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (!this.keys.press(event.code)) return;
    event.preventDefault(); // arrows would scroll
    this.onMove();
  }

  private onDown(canvas: HTMLElement, event: PointerEvent): void {
    if (this.pointer || event.button !== 0) return;
    const box = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    this.pointer = { id: event.pointerId, x, y, toX: x, toY: y };
    canvas.setPointerCapture(event.pointerId);
  }

  private onDrag(event: PointerEvent): void {
    if (event.pointerId !== this.pointer?.id) return;
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    this.pointer.toX = event.clientX - box.left;
    this.pointer.toY = event.clientY - box.top;
    const { dx, dy } = this.stickPoints(this.pointer);
    if (dx !== 0 || dy !== 0) this.onMove();
  }
}

/** Whether keys pressed there are text, or belong to a dialog. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable], dialog") !== null;
}
