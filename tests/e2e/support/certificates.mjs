// Certificates for one test, made by the openssl program when it runs.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'node:https';

let serial = 0;

function openssl(...args) {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** A certificate authority with its files in a directory. */
export class Authority {
  constructor(directory, name = 'test authority') {
    mkdirSync(directory, { recursive: true });
    this.directory = directory;
    this.file = join(directory, 'ca.pem');
    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
      '-subj', `/CN=${name}`, '-keyout', join(directory, 'ca.key'), '-out', this.file);
    this.pem = readFileSync(this.file, 'utf8');
  }

  /** `{ certificate, key, certificate_file, key_file }` for `names`, as OpenSSL writes subject alternative names. */
  issue(names = 'IP:127.0.0.1', days = 1) {
    const base = join(this.directory, `issued-${++serial}`);
    const [key_file, request_file, extensions, certificate_file] = ['key', 'csr', 'ext', 'pem'].map((end) => `${base}.${end}`);
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=issued',
      '-keyout', key_file, '-out', request_file);
    openssl('x509', '-req', '-in', request_file, '-CA', this.file, '-CAkey', join(this.directory, 'ca.key'),
      '-set_serial', String(1000 + serial), '-days', String(days), '-extfile', extensions, '-out', certificate_file);
    return {
      certificate_file,
      key_file,
      certificate: readFileSync(certificate_file, 'utf8'),
      key: readFileSync(key_file, 'utf8'),
    };
  }
}

/** One request over TLS: `{ status, headers, body, serial }`, the body parsed where it is JSON, the server's serial number. */
export function ask_over_tls(url, { method = 'GET', headers = {}, body, ca, cert, key, agent } = {}) {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, ca, cert, key, agent: agent ?? false, timeout: 20_000 }, (response) => {
      const serial_number = response.socket.getPeerCertificate().serialNumber;
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const is_json = /json/.test(response.headers['content-type'] ?? '');
        resolve({ status: response.statusCode, headers: response.headers, body: is_json ? JSON.parse(text) : text, serial: serial_number });
      });
    });
    sent.once('timeout', () => sent.destroy(new Error(`${method} ${url}: no answer`)));
    sent.once('error', reject);
    sent.end(body);
  });
}
