// Every vector of tests/vectors/providers through the real daemon: a source is made with the vector's own settings and secrets (stored
// sealed, read back), and verify-sample asked what it would say of the request. Where the scheme has no window of time, the request is
// sent to the source's real address as well, handshakes too; where it has one, those alone that are refused. What this version cannot
// verify is listed by name, as skipped.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Api } from './support/api.mjs';
import { Workspace } from './support/daemon.mjs';

const directory = join(dirname(fileURLToPath(import.meta.url)), '../vectors/providers');
const files = readdirSync(directory).sort();
const cases_of = (file) => JSON.parse(readFileSync(join(directory, file), 'utf8')).cases;

let workspace, api, schemes;

before(async () => {
  workspace = new Workspace();
  const daemon = await workspace.start();
  api = new Api(daemon.public_url, await workspace.operator_key());
  await api.create('/v1/tenants', { slug: 'acme', name: 'Acme' });
  const { data } = await api.get('/v1/providers');
  schemes = new Map(data.flatMap((provider) => provider.schemes.map((scheme) => [scheme.name, { ...scheme, provider: provider.name }])));
});
after(() => workspace?.close());

function body_of({ body_base64, body_spec }) {
  if (!body_spec) return Buffer.from(body_base64, 'base64');
  const bytes = (text) => Buffer.from(text, 'base64');
  const unit = bytes(body_spec.unit_base64);
  const parts = [bytes(body_spec.prefix_base64), ...Array(body_spec.repeat).fill(unit), bytes(body_spec.suffix_base64)];
  const body = Buffer.concat(parts);
  for (const { offset, xor } of body_spec.patch ?? []) body[offset] ^= xor;
  assert.equal(createHash('sha256').update(body).digest('hex'), body_spec.sha256);
  return body;
}

/** The settings that the scheme knows; the vectors carry more of some. */
const settings_of = (vector, scheme) =>
  Object.fromEntries(Object.entries(vector.config ?? {}).filter(([key]) => scheme.config_keys.includes(key)));

function check_response(vector, { status, headers, body }) {
  const wanted = vector.response;
  assert.equal(status, wanted.status);
  if (wanted.content_type) assert.equal(headers['content-type']?.split(';')[0], wanted.content_type);
  for (const [name, value] of Object.entries(wanted.headers ?? {})) assert.equal(headers[name.toLowerCase()], value);
  if (wanted.body !== undefined && body === wanted.body) return;
  const json = wanted.json ?? wanted.or_json;
  if (json === undefined) assert.equal(body, wanted.body);
  else assert.deepEqual(JSON.parse(body), json);
}

/** The request as the provider sends it, to the source's own address; fetch would change some of its headers. */
function send_for_real(vector, path) {
  const url = new URL(vector.url);
  return new Promise((resolve, reject) => {
    const outgoing = request(api.url + path + url.search, { method: vector.method, headers: vector.headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() }));
    });
    outgoing.on('error', reject);
    outgoing.end(body_of(vector));
  });
}

// Requests that say how long they are, in their own way, cannot be sent with another length.
const can_be_sent = (vector) => !Object.keys(vector.headers).some((name) => /^(content-length|transfer-encoding|host|connection)$/i.test(name));
const has_window = (scheme) => /^(stripe|slack|standard-webhooks|svix|hubspot-v3|gitlab-signed|resend)$/.test(scheme);

/** The vectors' words for a reason, in the interface's: one of these. */
const reasons = {
  missing_header: ['header-missing', 'signature-missing', 'timestamp-missing'],
  missing_field: ['field-missing'],
  missing_signature: ['signature-missing'],
  missing_timestamp: ['timestamp-missing'],
  malformed_header: ['header-malformed'],
  stale_timestamp: ['timestamp-out-of-tolerance'],
  future_timestamp: ['timestamp-out-of-tolerance'],
  bad_verify_token: ['verify-token-mismatch'],
  bad_signature: ['signature-mismatch', 'token-mismatch', 'body-digest-mismatch'],
};
// Where the interface names a reason more exactly than the vectors do.
const exact = {
  'gitlab-signed-034-only-unknown-versions': 'signature-missing',
  'standard-webhooks-034-only-unknown-versions': 'signature-missing',
  'slack-031-unknown-version-prefix': 'signature-missing',
  'paystack-023-base64-instead-of-hex': 'header-malformed',
};

for (const file of files)
  test(file.replace('.json', ''), { concurrency: 8 }, async (t) => {
    const vectors = cases_of(file);
    const supported = vectors.filter((vector) => schemes.has(vector.scheme));
    for (const vector of vectors)
      if (!schemes.has(vector.scheme)) await t.test(vector.id, { skip: `the family of ${vector.scheme} is not in yet` }, () => {});
    if (supported.length === 0) return;
    const { data: sources } = await api.create('/v1/tenants/acme/sources', {
      sources: supported.map((vector) => ({
        name: vector.id.slice(0, 63),
        provider: schemes.get(vector.scheme).provider,
        scheme: vector.scheme,
        secrets: vector.secrets,
        config: { ...settings_of(vector, schemes.get(vector.scheme)), public_url: vector.url.split('?')[0] },
      })),
    });
    const one = async (vector, source) => {
      const said = await api.expect(200, 'POST', `/v1/tenants/acme/sources/${source.id}/verify-sample`, {
        method: vector.method,
        url: vector.url,
        headers: vector.headers,
        body_base64: body_of(vector).toString('base64'),
        received_at: new Date(vector.now * 1000).toISOString(),
      });
      const verdict = vector.expect === 'reject' ? 'reject' : vector.kind === 'handshake' ? 'handshake' : 'accept';
      assert.equal(said.verdict, verdict, JSON.stringify(said));
      const expected = exact[vector.id] ? [exact[vector.id]] : reasons[vector.reason];
      if (verdict === 'reject') assert.ok(expected.includes(said.reason), `${said.reason} for ${vector.reason}`);
      else assert.equal(said.reason, null);
      if (verdict === 'accept' && vector.event_id != null) assert.equal(said.provider_event_id, vector.event_id);
      if (verdict === 'accept' && vector.event_type != null) assert.equal(said.event_type, vector.event_type);
      const { status, headers, body_base64 } = said.response;
      if (verdict === 'handshake') check_response(vector, { status, headers, body: Buffer.from(body_base64, 'base64').toString() });

      if (!can_be_sent(vector) || (has_window(vector.scheme) && verdict !== 'reject')) return;
      const answer = await send_for_real(vector, source.ingest_path);
      if (verdict === 'handshake') return check_response(vector, answer);
      assert.equal(answer.status, verdict === 'accept' ? 200 : status, answer.body);
      if (verdict === 'reject' && !has_window(vector.scheme) && status === 401) assert.equal(JSON.parse(answer.body).code, said.reason);
    };
    for (const [index, vector] of supported.entries()) await t.test(vector.id, () => one(vector, sources[index]));
  });
