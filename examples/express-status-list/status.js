// Looks a token up in the status list that it names. A list is kept for as long as it allows.
import { getListFromStatusListJWT } from '@sd-jwt/jwt-status-list'
import { jwtVerify } from 'jose'

const lists = new Map() // by URI

export async function isRevoked(token, issuer, keys) {
  const { idx, uri } = token.status.status_list
  if (!uri.startsWith(issuer + '/')) throw new Error('the status list is somewhere else: ' + uri)
  let known = lists.get(uri)
  if (!known || Date.now() >= known.until) {
    known = await fetchList(uri, issuer, keys)
    if (lists.size >= 1000) lists.clear()
    lists.set(uri, known)
  }
  return known.list.getStatus(idx) !== 0
}

async function fetchList(uri, issuer, keys) {
  const asked = Date.now()
  const answer = await fetch(uri, { headers: { accept: 'application/statuslist+jwt' }, signal: AbortSignal.timeout(5000) })
  if (answer.status !== 200) throw new Error(`status list: ${answer.status}`)
  const text = await answer.text()
  const rules = { issuer, subject: uri, typ: 'statuslist+jwt', algorithms: ['ES256'], requiredClaims: ['exp', 'ttl'] }
  const { payload } = await jwtVerify(text, keys, rules)
  return { list: getListFromStatusListJWT(text), until: asked + payload.ttl * 1000 }
}
