/** The server's half of RFC 6455, as much as one page in a test needs: handshake, unmasked frames out, masked text in. */
import { createHash } from "node:crypto";

const MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Answers an upgrade. `heard` gets each text message; the answer sends text and bytes, and closes. */
export function accept(request, socket, heard, gone) {
  const key = createHash("sha1").update(request.headers["sec-websocket-key"] + MAGIC).digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`);
  socket.on("data", (bytes) => {
    for (const text of texts(bytes)) heard(text);
  });
  socket.on("close", gone);
  socket.on("error", gone);
  const send = (opcode, payload) => socket.writable && socket.write(Buffer.concat([head(opcode, payload.length), payload]));
  return { text: (value) => send(1, Buffer.from(JSON.stringify(value))), bytes: (value) => send(2, Buffer.from(value)), close: () => socket.destroy() };
}

function head(opcode, length) {
  if (length < 126) return Buffer.from([0x80 | opcode, length]);
  const long = Buffer.alloc(4);
  long.set([0x80 | opcode, 126]);
  long.writeUInt16BE(length, 2);
  return long;
}

/** Text messages in a chunk; a page's own messages are short and come whole. */
function* texts(bytes) {
  let at = 0;
  while (at + 6 <= bytes.length) {
    const opcode = bytes[at] & 15;
    let length = bytes[at + 1] & 127,
      start = at + 2;
    if (length === 126) {
      length = bytes.readUInt16BE(start);
      start += 2;
    }
    const mask = bytes.subarray(start, start + 4),
      body = Buffer.from(bytes.subarray(start + 4, start + 4 + length));
    for (let i = 0; i < body.length; i++) body[i] ^= mask[i & 3];
    at = start + 4 + length;
    if (opcode === 1) yield body.toString();
  }
}
