/** Reads the CBOR (RFC 8949) that wave frames are made of: definite lengths only, no tags but to skip them. */
const MAJOR = { uint: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 };
const TEXT = new TextDecoder();
const DEPTH_MAX = 8;

/** Decodes one item. Byte strings come back as views of the buffer, maps as `Map`. Throws on what it does not know. */
export function decode(buffer) {
  const reader = { view: new DataView(buffer), bytes: new Uint8Array(buffer), at: 0 };
  return item(reader, 0);
}

function argument(reader, info) {
  const { view } = reader;
  if (info < 24) return info;
  const size = { 24: 1, 25: 2, 26: 4, 27: 8 }[info];
  if (!size) throw new RangeError(`cbor length ${info}`);
  const at = reader.at;
  reader.at += size;
  if (size === 1) return view.getUint8(at);
  if (size === 2) return view.getUint16(at);
  if (size === 4) return view.getUint32(at);
  return Number(view.getBigUint64(at));
}

function simple(reader, info) {
  const at = reader.at;
  if (info === 20 || info === 21) return info === 21;
  if (info === 22 || info === 23) return null;
  if (info === 25) {
    reader.at += 2;
    return half(reader.view.getUint16(at));
  }
  if (info === 26) {
    reader.at += 4;
    return reader.view.getFloat32(at);
  }
  if (info === 27) {
    reader.at += 8;
    return reader.view.getFloat64(at);
  }
  throw new RangeError(`cbor simple ${info}`);
}

function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1,
    exponent = (bits >> 10) & 31,
    fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function item(reader, depth) {
  if (depth > DEPTH_MAX) throw new RangeError("cbor too deep");
  const head = reader.view.getUint8(reader.at++);
  const major = head >> 5;
  if (major === MAJOR.simple) return simple(reader, head & 31);
  const n = argument(reader, head & 31);
  if (major === MAJOR.uint) return n;
  if (major === MAJOR.negative) return -1 - n;
  if (major === MAJOR.tag) return item(reader, depth + 1);
  if (major === MAJOR.bytes || major === MAJOR.text) {
    const part = reader.bytes.subarray(reader.at, reader.at + n);
    if (part.length !== n) throw new RangeError("cbor cut short");
    reader.at += n;
    return major === MAJOR.text ? TEXT.decode(part) : part;
  }
  if (major === MAJOR.array) return Array.from({ length: n }, () => item(reader, depth + 1));
  const map = new Map();
  for (let i = 0; i < n; i++) {
    const key = item(reader, depth + 1);
    map.set(key, item(reader, depth + 1));
  }
  return map;
}
