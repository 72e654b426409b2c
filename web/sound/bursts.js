/** Alarm bursts as IEC 60601-1-8 describes them: ten pulses for high, three for medium, two for low, each with its own pitch and pace. */

/** Seconds from the start of the burst at which a pulse begins, its length, its pitch, and the silence until the next burst. */
const PATTERNS = {
  // Spacing x, x, 2x + pulse, x, then the same five again (clause 6.3.3.1, table 3).
  high: { pulse_s: 0.12, hz: 880, repeat_s: 8, notes: [1, 1, 1, 1.26, 1.5, 1, 1, 1, 1.26, 1.5], at: fiveAndFive(0.12, 0.1) },
  medium: { pulse_s: 0.18, hz: 587, repeat_s: 16, notes: [1, 1, 1], at: [0, 0.38, 0.76] },
  low: { pulse_s: 0.22, hz: 440, repeat_s: 32, notes: [1.12, 1], at: [0, 0.44] },
};
const HARMONICS = [1, 0.6, 0.4, 0.25, 0.15];
const RISE_S = 0.02;

function fiveAndFive(pulse, gap) {
  const step = pulse + gap,
    group = [0, step, 2 * step, 3 * step + gap * 2, 4 * step + gap * 2];
  return [...group, ...group.map((at) => at + 5 * step + gap * 2 + 0.45)];
}

/** Milliseconds from the start of one burst to the start of the next. */
export const repeatMs = (priority) => PATTERNS[priority].repeat_s * 1000;
/** How long a burst of a priority sounds, in milliseconds. */
export const lengthMs = (priority) => (PATTERNS[priority].at.at(-1) + PATTERNS[priority].pulse_s) * 1000;
/** The number of pulses in a burst. */
export const pulses = (priority) => PATTERNS[priority].at.length;

/** Plays one burst and answers how to cut it off. Harmonics let an ear find the direction, which a pure tone does not. */
export function play(context, priority, volume = 0.4) {
  const { pulse_s, hz, notes, at } = PATTERNS[priority];
  const out = context.createGain(),
    wave = context.createPeriodicWave(new Float32Array([0, ...HARMONICS.map(() => 0)]), new Float32Array([0, ...HARMONICS]));
  out.gain.value = volume;
  out.connect(context.destination);
  const start = context.currentTime + 0.03;
  at.forEach((offset, i) => {
    const tone = context.createOscillator(),
      shape = context.createGain(),
      from = start + offset;
    tone.setPeriodicWave(wave);
    tone.frequency.value = hz * notes[i];
    shape.gain.setValueAtTime(0, from);
    shape.gain.linearRampToValueAtTime(1, from + RISE_S);
    shape.gain.setValueAtTime(1, from + pulse_s - RISE_S);
    shape.gain.linearRampToValueAtTime(0, from + pulse_s);
    tone.connect(shape).connect(out);
    tone.start(from);
    tone.stop(from + pulse_s + 0.01);
  });
  return () => out.disconnect();
}
