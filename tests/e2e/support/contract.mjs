// The interface as docs/openapi.json tells it, and whether an answer keeps to it.
//
//   const contract = Contract.load();
//   const api = new CheckedApi(daemon.public_url, key, contract); // every answer is checked
//   contract.check({ method, path, request, status, headers, body }); // or one that came another way
//
// An answer is held to more than the document promises: fields that the document does not know are a failure, so that none
// is added without being told. Clients are asked to bear them.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Api } from './api.mjs';

// CommonJS packages; installed by `npm ci` in tests/e2e.
const require = createRequire(import.meta.url);
const Ajv = require('ajv/dist/2020.js').default;
const add_formats = require('ajv-formats').default;

const methods = ['get', 'post', 'put', 'patch', 'delete'];
/** What any operation may be answered with, beside what it tells itself: always a problem. */
const everywhere = [404, 405, 408, 413, 414, 417, 429, 431, 500, 501, 503, 505];

/** The file that the daemon embeds. */
export const document_path = new URL('../../../docs/openapi.json', import.meta.url);

/**
 * The schema with every object closed to fields that it does not name. Parts of an `allOf` stay open at their top, for the
 * whole of it counts: a schema X of the document is known as `X.closed` and as `X.part`.
 */
function closed(schema, whole = true) {
  if (typeof schema !== 'object' || schema === null) return schema;
  const out = { ...schema };
  if (out.$ref) out.$ref += whole ? '.closed' : '.part';
  if (out.allOf) out.allOf = out.allOf.map((part) => closed(part, false));
  for (const word of ['anyOf', 'oneOf']) if (out[word]) out[word] = out[word].map((one) => closed(one, whole));
  for (const word of ['items', 'additionalProperties']) if (out[word]) out[word] = closed(out[word]);
  if (out.properties) {
    out.properties = Object.fromEntries(Object.entries(out.properties).map(([name, value]) => [name, closed(value)]));
    if (whole && out.additionalProperties === undefined) out.unevaluatedProperties = false;
  }
  return out;
}

export class Contract {
  #ajv = new Ajv({ strict: false, allErrors: true });
  #compiled = new Map();
  #paths;
  /** `GET /v1/tenants 200`: every answer that was checked. */
  seen = new Set();

  constructor(document) {
    this.document = document;
    const { schemas } = document.components;
    const all = { ...schemas };
    for (const [name, schema] of Object.entries(schemas)) {
      all[`${name}.closed`] = closed(schema);
      all[`${name}.part`] = closed(schema, false);
    }
    add_formats(this.#ajv);
    this.#ajv.addSchema({ $id: 'contract', components: { schemas: all } });
    // The more literal path first: /v1/tenants before /v1/{anything}.
    this.#paths = Object.entries(document.paths)
      .map(([path, item]) => {
        const tail = path === '/actors/{path}' ? '(.+)' : '([^/]+)';
        return { path, item, pattern: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, tail)}$`) };
      })
      .sort((left, right) => left.path.split('{').length - right.path.split('{').length);
  }

  static load() {
    return new Contract(JSON.parse(readFileSync(document_path, 'utf8')));
  }

  /** `{ name: 'GET /v1/tenants', operation, path }` of each. */
  operations() {
    return Object.entries(this.document.paths).flatMap(([path, item]) =>
      methods.filter((word) => item[word]).map((word) => ({ name: `${word.toUpperCase()} ${path}`, operation: item[word], path })),
    );
  }

  /** What is wrong with the value; null: nothing. */
  errors_of(schema, value, { open = false } = {}) {
    const wanted = open ? schema : closed(schema);
    const key = JSON.stringify(wanted);
    if (!this.#compiled.has(key)) {
      // A reference within the document is one to the schema that was added under the name of `contract`.
      const text = key.replaceAll('"$ref":"#/', '"$ref":"contract#/');
      this.#compiled.set(key, this.#ajv.compile(JSON.parse(text)));
    }
    const validate = this.#compiled.get(key);
    return validate(value) ? null : this.#ajv.errorsText(validate.errors, { separator: '\n  ' });
  }

  /**
   * Throws where the answer is not what the document says. `path` may have a query; `request`: the JSON that was sent, if any;
   * `headers`: a `Headers`; `body`: parsed where it is JSON, else text.
   */
  check({ method, path, request, status, headers, body }) {
    const plain = path.split('?')[0];
    const place = this.#paths.find((one) => one.pattern.test(plain));
    const operation = place?.item[(method === 'HEAD' ? 'GET' : method).toLowerCase()];
    const name = place ? `${method} ${place.path}` : `${method} ${plain} (not documented)`;
    const fail = (what) => {
      throw new Error(`${name} ${status}: ${what}\n${typeof body === 'string' ? body : JSON.stringify(body)}`);
    };
    const response = this.#response(operation, status);
    if (!response) fail('the document knows no such answer');
    if (status < 300) this.#check_request(operation, request, fail);
    this.#check_headers(response, headers, fail);
    if (method !== 'HEAD') this.#check_body(response, headers, body, fail);
    this.seen.add(`${name} ${status}`);
  }

  #resolve(part) {
    return part?.$ref ? part.$ref.split('/').slice(1).reduce((at, word) => at[word], this.document) : part;
  }

  #response(operation, status) {
    const told = this.#resolve(operation?.responses[String(status)]);
    if (told || !everywhere.includes(status)) return told;
    const { headers } = this.document.components;
    return {
      headers: { 'x-request-id': headers['x-request-id'], ...(status === 405 ? { allow: headers.allow } : {}) },
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    };
  }

  #check_request(operation, request, fail) {
    const schema = operation?.requestBody?.content['application/json']?.schema;
    if (!schema || request === undefined) return;
    const errors = this.errors_of(schema, request, { open: true });
    if (errors) fail(`a request that the document forbids was taken:\n  ${errors}`);
  }

  #check_headers(response, headers, fail) {
    for (const [header, part] of Object.entries(response.headers ?? {})) {
      const { schema, required } = this.#resolve(part);
      const value = headers.get(header);
      if (value === null && required) fail(`the header ${header} is missing`);
      const errors = value === null ? null : this.errors_of(schema, schema.type === 'integer' ? Number(value) : value, { open: true });
      if (errors) fail(`the header ${header} is ${value}:\n  ${errors}`);
    }
  }

  #check_body(response, headers, body, fail) {
    const type = (headers.get('content-type') ?? '').split(';')[0];
    if (!response.content) {
      if (body !== '' && body !== undefined) fail('the document knows no body');
      return;
    }
    if (type === '' && body === '') return; // nothing to say, where a preset wants it so
    const media = response.content[type] ?? response.content['*/*'];
    if (!media) return fail(`the document knows no ${type}`);
    const errors = this.errors_of(media.schema, body);
    if (errors) fail(`the body is not as documented:\n  ${errors}`);
  }
}

/** An `Api` whose every answer keeps to the contract, or throws. */
export class CheckedApi extends Api {
  constructor(url, key, contract) {
    super(url, key);
    this.contract = contract;
  }

  async ask(method, path, body, ...more) {
    const answer = await super.ask(method, path, body, ...more);
    this.contract.check({ method, path, request: body, ...answer });
    return answer;
  }
}
