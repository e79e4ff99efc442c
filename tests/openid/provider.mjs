// A real OpenID provider on the loopback interface, for tests: node provider.mjs PORT FILE [SECONDS [sparing]]
// FILE holds {person: {claim: value}} and is read at every login; its clock is SECONDS behind.
// One that is sparing puts nobody's claims into tokens (OpenID Connect Core 1.0, 5.4), and tells them at userinfo.
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'

const [port, people, behind = '0', sparing = ''] = process.argv.slice(2)
const now = Date.now
Date.now = () => now() - 1000 * Number(behind)

const { Provider } = await import('oidc-provider')
const key = () => ({
  ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
  kid: randomUUID(), use: 'sig', alg: 'RS256',
})
const grants = ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code']
const client = (client_id, more) => ({
  client_id, grant_types: grants, response_types: ['code'], 
  redirect_uris: ['http://127.0.0.1/callback', 'http://127.0.0.1/signin/openid/back'],
  application_type: 'native', ...more,
})
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    client('heliolake', { token_endpoint_auth_method: 'none' }),
    client('other', { token_endpoint_auth_method: 'none' }),
    client('archive', { client_secret: 'kept in a file of mode 0600', token_endpoint_auth_method: 'client_secret_basic' }),
  ],
  jwks: { keys: [key()] },
  cookies: { keys: ['tests'] },
  ttl: { IdToken: 600, Interaction: 86400, Session: 86400, Grant: 86400 }, // who is late gets that far
  pkce: { required: () => true },
  features: { deviceFlow: { enabled: true }, devInteractions: { enabled: true } },
  claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
  conformIdTokenClaims: sparing === 'sparing',
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, ...JSON.parse(readFileSync(people))[id] }),
  }),
})
process.stdin.resume().on('end', () => process.exit()) // whoever started it is gone
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'))
