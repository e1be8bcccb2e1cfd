import { createHash, randomBytes } from "node:crypto";
import { request } from "node:http";
import type { Duplex } from "node:stream";

/** A profile of a large program is some MiB; more than this is none. */
const MAX_MESSAGE = 512 << 20;
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const Op = { continuation: 0, text: 1, close: 8, ping: 9, pong: 10 } as const;

/**
 * A client of the WebSocket protocol (RFC 6455), as far as an inspector needs it: text messages, fragments, ping, close. Node 20
 * has none that is stable.
 */
export class WebSocketClient {
  /** Called with each message, and with undefined when the connection has ended. */
  onMessage: (text: string | undefined) => void = () => {};
  private readonly socket: Duplex;
  private readonly waiting: Buffer[] = [];
  private size = 0;
  private fragments: Buffer[] = [];
  private isOver = false;

  private constructor(socket: Duplex, head: Buffer) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => this.take(chunk));
    socket.on("error", () => this.end());
    socket.on("close", () => this.end());
    if (head.length > 0) this.take(head);
  }

  /** Connects to a `ws:` URL; rejects with what went wrong. */
  static connect(url: URL, timeoutMs: number): Promise<WebSocketClient> {
    return new Promise((resolve, reject) => {
      const key = randomBytes(16).toString("base64");
      const headers = {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": key,
      };
      const sending = request({ host: url.hostname, port: url.port, path: url.pathname, headers, timeout: timeoutMs });
      sending.on("upgrade", (response, socket, head) => {
        const wanted = createHash("sha1")
          .update(key + GUID)
          .digest("base64");
        if (response.headers["sec-websocket-accept"] === wanted) resolve(new WebSocketClient(socket, head));
        else {
          socket.destroy();
          reject(new Error("the answer to the WebSocket's key is wrong"));
        }
      });
      sending.on("response", (response) => {
        response.resume();
        reject(new Error(`status ${response.statusCode} instead of a WebSocket`));
      });
      sending.on("timeout", () => sending.destroy(new Error("no answer in time")));
      sending.on("error", reject);
      sending.end();
    });
  }

  send(text: string): void {
    if (!this.isOver) this.frame(Op.text, Buffer.from(text));
  }

  close(): void {
    if (this.isOver) return;
    this.frame(Op.close, Buffer.alloc(0));
    this.socket.end();
  }

  /** A whole message, masked as clients have to. */
  private frame(op: number, payload: Buffer): void {
    const { length } = payload;
    const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
    const head = Buffer.alloc(2 + extended + 4);
    head[0] = 0x80 | op;
    head[1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127);
    if (extended === 2) head.writeUInt16BE(length, 2);
    else if (extended === 8) head.writeBigUInt64BE(BigInt(length), 2);
    const mask = randomBytes(4);
    mask.copy(head, head.length - 4);
    const masked = Buffer.from(payload.map((byte, i) => byte ^ mask[i & 3]!));
    this.socket.write(Buffer.concat([head, masked]));
  }

  private take(chunk: Buffer): void {
    this.waiting.push(chunk);
    this.size += chunk.length;
    // A large message comes in many chunks: they are put together when all of it is there.
    for (let need = this.need(); need > 0 && this.size >= need && !this.isOver; need = this.need()) {
      const all = this.waiting.length === 1 ? this.waiting[0]! : Buffer.concat(this.waiting);
      this.waiting.length = 0;
      if (all.length > need) this.waiting.push(all.subarray(need));
      this.size = all.length - need;
      this.read(all.subarray(0, need));
    }
  }

  /** Bytes of the frame that begins what waits; 0 where that is not known yet. */
  private need(): number {
    if (this.size < 2) return 0;
    if (this.waiting[0]!.length < 10 && this.waiting.length > 1)
      this.waiting.splice(0, this.waiting.length, Buffer.concat(this.waiting));
    const head = this.waiting[0]!;
    const length = head[1]! & 0x7f;
    if (length < 126) return 2 + length;
    if (this.size < (length === 126 ? 4 : 10)) return 0;
    const long = length === 126 ? head.readUInt16BE(2) + 4 : Number(head.readBigUInt64BE(2)) + 10;
    if (long > MAX_MESSAGE) this.end();
    return long;
  }

  private read(frame: Buffer): void {
    const length = frame[1]! & 0x7f;
    const payload = frame.subarray(length < 126 ? 2 : length === 126 ? 4 : 10);
    const op = frame[0]! & 0x0f;
    if (op === Op.close) this.end();
    else if (op === Op.ping) this.frame(Op.pong, Buffer.from(payload));
    else if (op === Op.text || op === Op.continuation) {
      this.fragments.push(Buffer.from(payload));
      if ((frame[0]! & 0x80) === 0) return;
      const text = Buffer.concat(this.fragments).toString();
      this.fragments = [];
      this.onMessage(text);
    }
  }

  private end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.socket.destroy();
    this.onMessage(undefined);
  }
}
