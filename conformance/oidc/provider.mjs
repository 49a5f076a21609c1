// A certified OpenID provider with accounts of our choosing, for tests on loopback only.
//
//   node provider.mjs --redirect URI [--redirect URI]… --accounts FILE [--client-id ID] [--client-secret SECRET]
//
// FILE is JSON: [{ "login": "ada", "sub": "a1", "claims": { "email": "…", "oid": "…" } }]; a change of the file
// counts from the next sign-in on. Prints one line once it listens: {"ready":true,"issuer":URL}.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { Provider } from 'oidc-provider';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    redirect: { type: 'string', multiple: true, default: [] },
    accounts: { type: 'string' },
    'client-id': { type: 'string', default: 'rolecall' },
    'client-secret': { type: 'string', default: 'a-secret-for-loopback-tests-only-0123456789' },
  },
});

const accounts = () => JSON.parse(readFileSync(options.accounts, 'utf8'));

// Every claim of any account may be asked for with the scope `profile` and stands in the ID token.
const claimNames = [...new Set(accounts().flatMap((account) => Object.keys(account.claims ?? {})))];

const server = createServer();
await new Promise((resolve) => server.listen(Number(options.port), '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [{
    client_id: options['client-id'],
    client_secret: options['client-secret'],
    redirect_uris: options.redirect,
    response_types: ['code'],
    grant_types: ['authorization_code'],
    id_token_signed_response_alg: 'RS256',
  }],
  pkce: { required: () => true },
  conformIdTokenClaims: false,
  scopes: ['openid', 'profile', 'email'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups', ...claimNames] },
  findAccount: (_context, sub) => {
    const account = accounts().find((candidate) => candidate.sub === sub);
    return account && { accountId: sub, claims: () => ({ sub, ...account.claims }) };
  },
  // Nobody is asked for consent here.
  loadExistingGrant: async (context) => {
    const { client, session, params } = context.oidc;
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope(params.scope);
    await grant.save();
    return grant;
  },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_context, interaction) => `/sign-in/${interaction.uid}` },
  cookies: { keys: ['for-loopback-tests-only'] },
  ttl: { AccessToken: 300, AuthorizationCode: 60, Grant: 300, IdToken: 300, Interaction: 300, Session: 300 },
});

const page = (path) => `<!doctype html><html lang="en"><title>Lab sign-in</title><h1>Lab sign-in</h1>
<form method="post" action="${path}"><label>Login <input name="login" autofocus></label><button>Sign in</button></form>`;

// The only page of our own: one field, no password.
async function signIn(request, response) {
  if (request.method !== 'POST') {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(page(request.url));
    return;
  }
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const login = new URLSearchParams(Buffer.concat(chunks).toString()).get('login');
  const account = accounts().find((candidate) => candidate.login === login);
  const result = account
    ? { login: { accountId: account.sub } }
    : { error: 'access_denied', error_description: 'no such account' };
  await provider.interactionFinished(request, response, result);
}

const handle = provider.callback();
server.on('request', (request, response) => {
  if (!request.url.startsWith('/sign-in/')) {
    handle(request, response);
    return;
  }
  signIn(request, response).catch((error) => {
    console.error(error);
    response.statusCode = 500;
    response.end();
  });
});

console.log(JSON.stringify({ ready: true, issuer }));
