/** The vertical range of a trace: wide enough for the last seconds, changed in steps and seldom, as a monitor's gain is. */
const SETTLE_MS = 2500;
const WINDOW = 24;
const MARGIN = 0.12;

export class Range {
  /** With `fixed` as [low, high] the range never moves. */
  constructor(fixed) {
    this.fixed = Boolean(fixed);
    [this.low, this.high] = fixed ?? [0, 1];
    /** With a gain the span is given, and only its middle follows the trace. */
    this.span = null;
    this.blocks = [];
    this.settledAt = -Infinity;
    this.fresh = false;
  }

  /** Takes new values, in the trace's unit. */
  take(values) {
    if (this.fixed) return;
    let low = Infinity,
      high = -Infinity;
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (low > high) return;
    this.blocks.push([low, high]);
    if (this.blocks.length > WINDOW) this.blocks.shift();
    this.fresh = true;
  }

  /** Adopts a better range if there is one and the last change is long enough ago; answers whether everything must be drawn again. */
  settle(at = performance.now()) {
    if (this.fixed || !this.fresh) return false;
    this.fresh = false;
    const low = Math.min(...this.blocks.map((b) => b[0])),
      high = Math.max(...this.blocks.map((b) => b[1]));
    if (this.span) return this.centre((low + high) / 2, at);
    const span = Math.max(high - low, 1e-6);
    const clipped = low < this.low - span * 0.02 || high > this.high + span * 0.02,
      wasted = span < (this.high - this.low) * 0.5 && this.blocks.length >= WINDOW;
    if (!(clipped || wasted) || (at - this.settledAt < SETTLE_MS && this.settledAt > 0)) return false;
    this.low = low - span * MARGIN;
    this.high = high + span * MARGIN;
    this.settledAt = at;
    return true;
  }

  /** Puts the given span around the middle of what came; a drift within a tenth of it is let be. */
  centre(middle, at) {
    const first = this.settledAt < 0,
      off = Math.abs(middle - (this.low + this.high) / 2) > this.span / 10,
      other = Math.abs(this.high - this.low - this.span) > this.span / 1000;
    if (!(first || other || (off && at - this.settledAt >= SETTLE_MS))) return false;
    this.low = middle - this.span / 2;
    this.high = middle + this.span / 2;
    this.settledAt = at;
    return true;
  }

  /** Where a value lies, 0 at the bottom, 1 at the top, held at the edges. */
  part(value) {
    return Math.max(0, Math.min(1, (value - this.low) / (this.high - this.low)));
  }
}
