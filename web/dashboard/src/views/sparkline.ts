/** A sparkline of the last minute. The number beside it says what it shows, so readers of screens are spared it. */

import { s, setAttribute, setText } from "../dom.ts";
import type { Point } from "../frames.ts";
import { type Box, spark } from "../sparkline.ts";
import { SPAN_S } from "../state.ts";

const BOX: Box = { width: 120, height: 28, span: SPAN_S };

export class Sparkline {
  readonly element: SVGSVGElement;
  readonly #area = s("path", { class: "spark-area" });
  readonly #line = s("path", { class: "spark-line" });
  readonly #title = s("title");

  constructor(
    private readonly value: (point: Point) => number | null,
    private readonly written: (value: number) => string,
  ) {
    this.element = s(
      "svg",
      { class: "spark", viewBox: `0 0 ${BOX.width} ${BOX.height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
      this.#title,
      this.#area,
      this.#line,
    );
  }

  update(points: readonly Point[], now: number): void {
    const samples = points.map((point) => ({ time: point.time, value: this.value(point) }));
    const { line, area, peak } = spark(samples, now, BOX);
    setAttribute(this.#line, "d", line);
    setAttribute(this.#area, "d", area);
    setText(this.#title, `Last minute, at most ${this.written(peak)}`);
  }
}
