/** Made-up signals, each a function of time in seconds; nothing is recorded from anybody. */
const bump = (x, centre, width, height) => height * Math.exp(-(((x - centre) / width) ** 2) / 2);

/** An electrocardiogram in mV at a heart rate in beats a minute. */
export function ecg(rate) {
  const rr = 60 / rate;
  return (time) => {
    const since = ((time % rr) + rr) % rr,
      until = rr - since,
      t = 0.27 * Math.sqrt(Math.min(1, rr)) + 0.02;
    return bump(since, 0, 0.011, 1.05) + bump(since, 0.03, 0.011, -0.2) + bump(since, t, 0.042, 0.3) + bump(-until, 0, 0.011, 1.05) + bump(-until, -0.028, 0.009, -0.09) + bump(-until, -0.15, 0.022, 0.13) + 0.025 * Math.sin(time * 1.7);
  };
}

/** A pulse wave without a unit. */
export function pleth(rate) {
  const rr = 60 / rate,
    span = Math.min(1, rr * 1.15);
  return (time) => {
    const since = (((time - 0.2) % rr) + rr) % rr;
    return bump(since, 0.14 * span, 0.065 * span, 1) + bump(since, 0.3 * span, 0.09 * span, 0.5) + bump(since, 0.52 * span, 0.13 * span, 0.22);
  };
}

/** Breathing: in is quicker than out. */
export const resp = (rate) => (time) => {
  const phase = ((time * rate) / 60) % 1;
  return phase < 0.4 ? 0.5 - 0.5 * Math.cos((Math.PI * phase) / 0.4) : 0.5 + 0.5 * Math.cos((Math.PI * (phase - 0.4)) / 0.6);
};

/** The CBOR wave frame of a block that starts at `start` ms; gain is a thousandth of the unit. */
export function frame({ device, patient, channel, unit, rate, sample }, start, count) {
  const samples = Buffer.alloc(count * 2);
  for (let i = 0; i < count; i++) samples.writeInt16LE(Math.round(sample((start + (i * 1000) / rate) / 1000) * 1000), i * 2);
  const uint = (major, n) => (n < 24 ? [(major << 5) | n] : n < 256 ? [(major << 5) | 24, n] : [(major << 5) | 25, n >> 8, n & 255]);
  const text = (s) => [...uint(3, Buffer.byteLength(s)), ...Buffer.from(s)];
  const id = (uuid) => [...uint(2, 16), ...Buffer.from(uuid.replaceAll("-", ""), "hex")];
  const at = Buffer.alloc(9);
  at[0] = 0xfb;
  at.writeDoubleBE(start, 1);
  return Buffer.concat([Buffer.from([0xab, 0, ...id(device), 1, ...text(channel), 2, ...at, 3, 0x82, ...uint(0, rate), 1, 4, 0x82, 1, 0x22, 5, 0, 6, ...text(unit), 7, ...uint(2, samples.length)]), samples, Buffer.from([8, 0xf6, 9, ...id(patient), 10, 0xf4])]);
}
