// Follows what was revoked of this API's tokens.
const authorization = 'Basic ' + btoa('books:' + process.env.BOOKS_SECRET)
const patience = 15_000 // how long silence is taken for good news

let entries = []
let etag = ''
let heard = 0

async function ask() {
  const asked = Date.now()
  try {
    const answer = await fetch(process.env.ISSUER + '/oauth/revocations', {
      headers: { authorization, ...(etag && { 'if-none-match': etag }) }, signal: AbortSignal.timeout(5000),
    })
    if (answer.status === 200) {
      entries = (await answer.json()).entries
      etag = answer.headers.get('etag')
    } else if (answer.status !== 304) throw new Error('revocations: ' + answer.status)
    heard = asked
  } catch (error) {
    console.error(error)
  }
  setTimeout(ask, 1000)
}
await ask()

export function isRevoked(token) {
  if (Date.now() - heard > patience) throw new Error('it is not known what was revoked')
  const granted = parseInt(token.sc_grant.replaceAll('-', '').slice(0, 12), 16) // milliseconds, in front of a UUIDv7
  return entries.some(entry => entry.grant === token.sc_grant || entry.epoch === token.sc_epoch
    || entry.user === token.sub && granted <= entry.before)
}
