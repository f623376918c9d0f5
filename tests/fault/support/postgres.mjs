// A PostgreSQL of the test's own, which it may stop, kill and freeze: unix socket only, in a directory of its own. A guardian
// process ends it and removes the directory, also where the test dies before.
import { execFile, spawn } from 'node:child_process';
import { appendFileSync, chownSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { is_alive } from '../../e2e/support/daemon.mjs';
import { until, within } from '../../e2e/support/until.mjs';

const execute = promisify(execFile);
const binaries = process.env.POSTRIDER_POSTGRES_BIN ?? '/usr/lib/postgresql/15/bin';
const as_root = process.getuid() === 0;

// A process that the server must not be killed with: fsync can be off, for only processes die here, never the machine.
const configuration = `
listen_addresses = ''
dynamic_shared_memory_type = sysv
shared_buffers = 32MB
max_connections = 64
fsync = off
full_page_writes = off
jit = off
log_min_messages = warning
`;

/** Waits for the end of its input, that is, of the test; then ends the server and removes the directory. */
const guardian_script = `
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && [ "$pid" -gt 1 ] && kill -QUIT "$pid" 2>/dev/null && kill -CONT "$pid" 2>/dev/null
tries=0
while [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
rm -rf "$1"
`;

/** PostgreSQL refuses to run as root. */
function run_as_server(program, args, options = {}) {
  const command = as_root ? ['runuser', '-u', 'postgres', '--', program] : [program];
  return execute(command[0], [...command.slice(1), ...args], { timeout: 60_000, cwd: '/', ...options });
}

async function id_of_postgres(which) {
  return Number((await execute('id', [which, 'postgres'])).stdout);
}

export class Postgres {
  directory = mkdtempSync(join(tmpdir(), 'pf-'));
  #guardian;

  static async start() {
    const server = new Postgres();
    server.#guardian = spawn('sh', ['-c', guardian_script, 'guardian', server.directory], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    server.#guardian.unref();
    server.#guardian.stdin.unref();
    if (as_root) chownSync(server.directory, await id_of_postgres('-u'), await id_of_postgres('-g'));
    await run_as_server(join(binaries, 'initdb'), ['-D', server.#data, '-U', 'postrider', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync', '--no-instructions']);
    appendFileSync(join(server.#data, 'postgresql.conf'), `${configuration}unix_socket_directories = '${server.directory}'\n`);
    await server.start_again();
    await server.sql('create database postrider', 'postgres');
    return server;
  }

  get #data() {
    return join(this.directory, 'data');
  }
  get url() {
    return `postgresql://postrider@${encodeURIComponent(this.directory)}/postrider`;
  }
  /** The postmaster's process. */
  get pid() {
    return Number(readFileSync(join(this.#data, 'postmaster.pid'), 'utf8').split('\n')[0]);
  }

  /** The rows of one statement, as arrays of texts. Also beside a daemon that runs. */
  async sql(text, database = 'postrider') {
    const args = ['-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', '-h', this.directory, '-U', 'postrider', '-d', database, '-c', text];
    const { stdout } = await execute('psql', args, { timeout: 20_000, maxBuffer: 64 * 1024 * 1024 });
    return stdout.split('\n').filter((line) => line !== '').map((line) => line.split('|'));
  }

  #control(...args) {
    const log = join(this.directory, 'log');
    return run_as_server(join(binaries, 'pg_ctl'), ['-D', this.#data, '-w', '-t', '30', '-s', '-l', log, ...args]);
  }

  /** Starts it; after a kill its former processes may still hold the shared memory for a moment. */
  async start_again() {
    await until(() => this.#control('start').then(() => true), { what: 'the start of PostgreSQL', every_ms: 50 });
  }
  async restart_fast() {
    await this.#control('restart', '-m', 'fast');
  }
  /** kill -9 of the postmaster; its backends end by themselves. */
  async kill() {
    const pid = this.pid;
    process.kill(pid, 'SIGKILL');
    await until(() => !is_alive(pid), { what: 'the death of the postmaster' });
  }
  /** The processes that serve the daemon's connections of that role, once there are any. */
  async backends(role) {
    const query = `select pid from pg_stat_activity where application_name = 'postrider ${role}'`;
    const rows = await until(async () => {
      const found = await this.sql(query);
      return found.length > 0 && found;
    }, { what: `a connection of ${role}` });
    return rows.map(([pid]) => Number(pid));
  }
  /** kill -9 of one of them: PostgreSQL then ends all others and recovers, as after a crash. */
  async kill_backend(role) {
    process.kill((await this.backends(role))[0], 'SIGKILL');
  }
  /** Closes the connections of that role alone, as an administrator can, and waits until others stand in their place. */
  async close_connections(role) {
    const before = await this.backends(role);
    await this.sql(`select pg_terminate_backend(pid, 5000) from unnest(array[${before.join(', ')}]) pid`);
    await until(async () => (await this.backends(role)).some((pid) => !before.includes(pid)), { what: `a new connection of ${role}` });
  }

  #signal_all(signal) {
    const pid = this.pid;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    for (const each of [pid, ...children]) process.kill(each, signal);
  }
  /** Connections are taken (by the kernel) and never answered, until `thaw`. */
  freeze() {
    this.#signal_all('SIGSTOP');
  }
  thaw() {
    this.#signal_all('SIGCONT');
  }

  async close() {
    const ended = new Promise((resolve) => this.#guardian.once('exit', resolve));
    this.#guardian.stdin.end();
    await within(ended, 20_000, 'the end of PostgreSQL');
  }
}
