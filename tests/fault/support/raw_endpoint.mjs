// An endpoint below HTTP: hands each request and its socket to a script, which writes whatever bytes it likes.
import { createServer } from 'node:net';

export class RawEndpoint {
  /** Of every request that was read to its end: `{ webhook_id, attempt }`. */
  requests = [];
  #server;
  #sockets = new Set();

  /** `script(socket, { webhook_id, attempt })`; called once a whole request is there. */
  static async start(script) {
    const endpoint = new RawEndpoint();
    endpoint.script = script;
    endpoint.#server = createServer((socket) => endpoint.#serve(socket));
    await new Promise((resolve) => endpoint.#server.listen(0, '127.0.0.1', resolve));
    return endpoint;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}/`;
  }

  #serve(socket) {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {}); // the sender hangs up on what it has seen enough of: that is what is tested
    let unread = '';
    socket.setEncoding('latin1').on('data', (text) => {
      unread += text;
      for (;;) {
        const end = unread.indexOf('\r\n\r\n');
        const length = end < 0 ? null : Number(/^content-length: *(\d+)/im.exec(unread.slice(0, end))?.[1] ?? 0);
        if (length === null || unread.length < end + 4 + length) return;
        const field = (name) => new RegExp(`^${name}: *(.*)$`, 'im').exec(unread.slice(0, end))?.[1];
        const request = { webhook_id: field('webhook-id'), attempt: Number(field('x-postrider-attempt')) };
        unread = unread.slice(end + 4 + length);
        this.requests.push(request);
        this.script(socket, request);
      }
    });
  }

  async close() {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A plain answer. */
export function answer(status, body = '') {
  return `HTTP/1.1 ${status} Whatever\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

/** Writes `chunk` again and again, as fast as the peer reads, until `total` bytes are out or it hangs up. */
export function pour(socket, chunk, total) {
  let left = total;
  const more = () => {
    while (left > 0 && !socket.destroyed) {
      left -= chunk.length;
      if (!socket.write(chunk)) return;
    }
    socket.off('drain', more);
  };
  socket.on('drain', more);
  more();
}
