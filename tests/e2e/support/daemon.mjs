// The daemon as a child process: started on free ports, with a private PostgreSQL in a directory of its own.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until, within } from './until.mjs';

const log_bytes_max = 64 * 1024 * 1024;

/** The program under test. */
export function program() {
  const path = process.env.POSTRIDER_BIN;
  if (!path) throw new Error('POSTRIDER_BIN does not name the daemon');
  return path;
}

/** The environment without settings of whoever runs the tests, and with `more`. */
function clean_environment(more = {}) {
  const kept = Object.entries(process.env).filter(([name]) => !/^POSTRIDER_.*__/.test(name));
  return { ...Object.fromEntries(kept), ...more };
}

/** Runs the program to its end: `{ status, signal, stdout, stderr }`. */
export async function run(args, { env = {}, deadline_ms = 60_000 } = {}) {
  const child = spawn(program(), args, { env: clean_environment(env), stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
  });
  try {
    return await within(ended, deadline_ms, `postrider ${args.join(' ')}`);
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`${error.message}\n${stderr}`, { cause: error });
  }
}

/** Whether a process lives (a zombie does not). */
export function is_alive(pid) {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The processes whose parent is `pid`. */
function children_of(pid) {
  const parent_of = (other) => {
    try {
      return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${other}/status`, 'utf8'))[1]);
    } catch {
      return null; // it has ended meanwhile
    }
  };
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((other) => parent_of(other) === pid);
}

/** One `postrider serve`. Made by `Daemon.start`, ended by `stop`, `kill` or the workspace's `close`. */
export class Daemon {
  #child;
  #ended;
  stdout = '';
  stderr = '';
  /** The ready line, parsed. */
  ready = null;

  constructor(args, env) {
    this.#child = spawn(program(), ['serve', ...args], { env: clean_environment(env), stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout.setEncoding('utf8').on('data', (text) => (this.stdout += text));
    this.#child.stderr.setEncoding('utf8').on('data', (text) => {
      this.stderr = (this.stderr + text).slice(-log_bytes_max);
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve({ status: null, signal: null, error }));
      this.#child.once('close', (status, signal) => resolve({ status, signal }));
    });
    this.#ended.then((end) => (this.ended = end));
  }

  /** Starts it and waits for the ready line. */
  static async start(args, { env = {}, deadline_ms = 60_000 } = {}) {
    const daemon = new Daemon(args, env);
    try {
      await until(() => daemon.ended || daemon.stdout.includes('\n'), { deadline_ms, what: 'the ready line' });
      if (!daemon.stdout.includes('\n')) throw new Error(`it ended with ${JSON.stringify(daemon.ended)}`);
      daemon.ready = JSON.parse(daemon.stdout.slice(0, daemon.stdout.indexOf('\n')));
      return daemon;
    } catch (error) {
      await daemon.kill();
      throw new Error(`postrider serve ${args.join(' ')}: ${error.message}\n${daemon.stderr}`, { cause: error });
    }
  }

  get pid() {
    return this.#child.pid;
  }
  get public_url() {
    return `http://${this.ready.public}`;
  }
  get operator_url() {
    return `http://${this.ready.operator}`;
  }

  /** What it logs, as objects. */
  logs() {
    return this.stderr
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line));
  }

  send(signal) {
    this.#child.kill(signal);
  }

  /** How it ended: `{ status, signal }`. */
  async end(deadline_ms = 60_000) {
    return within(this.#ended, deadline_ms, 'the end of the daemon');
  }

  /** SIGTERM, and its end. */
  async stop(deadline_ms = 60_000) {
    this.send('SIGTERM');
    return this.end(deadline_ms);
  }

  /** SIGKILL, and its end. */
  async kill() {
    this.send('SIGKILL');
    return this.end(10_000);
  }
}

/** What `/readyz` says: `{ status, body }`. */
export async function readiness(daemon) {
  const response = await fetch(`${daemon.operator_url}/readyz`, { signal: AbortSignal.timeout(2_000) });
  return { status: response.status, body: await response.json() };
}

/** A temporary directory with an embedded PostgreSQL in it, and everything that was started there. */
export class Workspace {
  directory = mkdtempSync(join(tmpdir(), 'pr-'));
  #daemons = [];
  #environment;

  /** `environment`: of every daemon that is started here. */
  constructor(environment = {}) {
    this.#environment = { ...Workspace.environment, ...environment };
  }

  /** The flags of a first try on free ports. The linger is short: nothing stands in front of these daemons. */
  static environment = { POSTRIDER_SHUTDOWN__LINGER_MS: '100' };

  get data() {
    return join(this.directory, 'data');
  }
  get database_flags() {
    return ['--embedded-postgres', this.data];
  }
  /** The private PostgreSQL's URL, for a process beside the daemon. */
  get database_url() {
    return `postgresql://postrider@${encodeURIComponent(join(this.data, 'run'))}/postrider`;
  }

  async start({ args = [], env = {}, dev = true, node = 'n1' } = {}) {
    const flags = [...this.database_flags, '--public', '127.0.0.1:0', '--operator', '127.0.0.1:0', '--node', node];
    const daemon = await Daemon.start([...flags, ...(dev ? ['--dev'] : []), ...args], {
      env: { ...this.#environment, ...env },
    });
    this.#daemons.push(daemon);
    return daemon;
  }

  /** Runs a command on this database. */
  async run(args, options) {
    return run([...args, ...this.database_flags], options);
  }

  /** A new operator's key. */
  async operator_key() {
    const { status, stdout, stderr } = await this.run(['keys', 'create', '--role', 'operator', '--name', 'e2e', '-o', 'json']);
    if (status !== 0) throw new Error(`keys create ended with ${status}: ${stderr}`);
    return JSON.parse(stdout).key;
  }

  /** The process of the private PostgreSQL, or null. */
  postmaster() {
    try {
      const pid = Number(readFileSync(join(this.data, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
      return is_alive(pid) ? pid : null;
    } catch {
      return null;
    }
  }

  /** All that every daemon of this workspace has logged, by daemon. */
  logs() {
    return this.#daemons.map((daemon) => daemon.stderr);
  }

  /** Sends the signal to every process of the private PostgreSQL: a server that is there and answers nothing, by SIGSTOP. */
  signal_database(signal) {
    const server = this.postmaster();
    for (const pid of [server, ...children_of(server)]) process.kill(pid, signal);
  }

  /** Ends what still runs and removes the directory. */
  async close() {
    for (const daemon of this.#daemons) if (!daemon.ended) await daemon.kill();
    const server = this.postmaster();
    if (server) {
      process.kill(server, 'SIGQUIT');
      await until(() => !is_alive(server), { deadline_ms: 20_000, what: 'the end of PostgreSQL' });
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
