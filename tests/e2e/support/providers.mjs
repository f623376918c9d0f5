// Webhooks as Stripe and Box send them (docs.stripe.com/webhooks#verify-manually; developer.box.com, "Verify webhook signatures").
import { createHmac, randomUUID } from 'node:crypto';

const hmac = (secret, text, encoding) => createHmac('sha256', secret).update(text).digest(encoding);

/** Posts it; `{ status, body }`. */
async function post(url, headers, body) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
    signal: AbortSignal.timeout(15_000),
  });
  return { status: response.status, body: await response.json() };
}

/** An event of Stripe, signed with `secret`. */
export function post_stripe(url, secret, type = 'invoice.paid') {
  const body = JSON.stringify({ id: `evt_${randomUUID()}`, type });
  const at = Math.floor(Date.now() / 1000);
  return post(url, { 'stripe-signature': `t=${at},v1=${hmac(secret, `${at}.${body}`, 'hex')}` }, body);
}

/** A webhook of Box; `keys`: `{ primary, secondary }`, either may be left out. */
export function post_box(url, keys) {
  const body = JSON.stringify({ id: randomUUID(), trigger: 'FILE.UPLOADED' });
  const at = new Date().toISOString();
  const signed = (key) => hmac(key, body + at, 'base64');
  return post(
    url,
    {
      'box-signature-version': '1',
      'box-signature-algorithm': 'HmacSHA256',
      'box-delivery-timestamp': at,
      ...(keys.primary ? { 'box-signature-primary': signed(keys.primary) } : {}),
      ...(keys.secondary ? { 'box-signature-secondary': signed(keys.secondary) } : {}),
    },
    body,
  );
}
