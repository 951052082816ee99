import express from 'express'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { isRevoked } from './revocations.js'

const issuer = process.env.ISSUER
const keys = createRemoteJWKSet(new URL(issuer + '/.well-known/jwks.json'))
const rules = {
  issuer, audience: 'https://books.example', typ: 'at+jwt', algorithms: ['ES256'],
  requiredClaims: ['exp', 'sub', 'scope', 'sc_grant', 'sc_epoch'], clockTolerance: 10,
}

const requireScope = scope => async (request, response, next) => {
  const [, token] = /^Bearer +(\S+)$/i.exec(request.get('authorization') ?? '') ?? []
  if (!token) return refuse(response, 401)
  try {
    request.token = (await jwtVerify(token, keys, rules)).payload
    if (isRevoked(request.token)) return refuse(response, 401, 'error="invalid_token"')
  } catch (error) {
    if (/^ERR_(JWT|JWS|JOSE_ALG|JOSE_NOT|JWKS_NO)/.test(error.code)) return refuse(response, 401, 'error="invalid_token"')
    console.error(error) // no keys, or no word of revocations
    return response.set('Retry-After', '5').sendStatus(503)
  }
  if (!request.token.scope.split(' ').includes(scope)) return refuse(response, 403, `error="insufficient_scope", scope="${scope}"`)
  next()
}

function refuse(response, status, why = 'realm="books"') {
  response.set('WWW-Authenticate', 'Bearer ' + why).sendStatus(status)
}

const app = express()
app.get('/books', requireScope('books:read'), (request, response) => response.json({ 'books of': request.token.sub }))
app.post('/books', requireScope('books:write'), (request, response) => response.sendStatus(201))
app.listen(process.env.PORT, 'localhost')
