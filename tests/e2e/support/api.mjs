// The management API as an operator uses it.

export class Api {
  constructor(url, key) {
    this.url = url;
    this.key = key;
  }

  /** `{ status, headers, body }`; the body parsed where it is JSON. */
  async ask(method, path, body, headers = {}) {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(this.key ? { authorization: `Bearer ${this.key}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    const is_json = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, body: is_json ? JSON.parse(text) : text };
  }

  /** The body; any other status than `wanted` is an error that shows the answer. */
  async expect(wanted, method, path, body) {
    const answer = await this.ask(method, path, body);
    if (answer.status !== wanted)
      throw new Error(`${method} ${path}: ${answer.status} instead of ${wanted}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  get(path) {
    return this.expect(200, 'GET', path);
  }
  create(path, body) {
    return this.expect(201, 'POST', path, body);
  }

  /** Every item of a list, over all its pages. */
  async all(path) {
    const items = [];
    let cursor = null;
    do {
      const join = path.includes('?') ? '&' : '?';
      const page = await this.get(`${path}${join}limit=250${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`);
      items.push(...page.data);
      cursor = page.next_cursor;
    } while (cursor);
    return items;
  }

  /** A tenant with one GitHub source and one endpoint: `{ slug, ingest_path, endpoint, secret }`. */
  async tenant_with_endpoint(slug, { source_secret, url, endpoint = {} }) {
    await this.create('/v1/tenants', { slug, name: slug });
    const source = await this.create(`/v1/tenants/${slug}/sources`, {
      name: 'github',
      provider: 'github',
      secrets: [source_secret],
    });
    const made = await this.create(`/v1/tenants/${slug}/endpoints`, { url, ...endpoint });
    return { slug, ingest_path: source.ingest_path, endpoint: made.id, secret: made.secret };
  }
}
