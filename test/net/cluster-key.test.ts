// The cluster key and what is made of it; identities.
import { inspect } from 'node:util'
import sodium from 'sodium-universal'
import test from 'tape'
import { isSwarmdiskError } from '../../src/base/errors.js'
import { ClusterKey } from '../../src/net/cluster-key.js'
import { keyPairFromSeed, peerIdOf, publicKeyOf } from '../../src/net/identity.js'
import { SeededRandom } from '../simulator/seeded-random.js'

const random = new SeededRandom(7)
const handshake = {
  hash: random.bytes(64),
  initiator: random.bytes(32),
  responder: random.bytes(32),
}

test('cluster key: printed and read again', t => {
  for (let i = 0; i < 50; i++) {
    const key = ClusterKey.generate(random)
    const text = key.reveal()
    t.match(text, /^[ybndrfg8ejkmcpqxot1uwisza345h769]{52}$/)
    for (const spelling of [text, `  ${text}\n`, text.toUpperCase()]) {
      const again = ClusterKey.parse(spelling)
      t.deepEqual(
        [again.reveal(), again.fingerprint, Buffer.from(again.topic).toString('hex')],
        [text, key.fingerprint, Buffer.from(key.topic).toString('hex')],
      )
    }
  }
  t.end()
})

test('cluster key: what is none is refused without being quoted', t => {
  const text = ClusterKey.generate(random).reveal()
  const wrong = [
    '',
    'hello',
    text.slice(1),
    `${text}y`,
    // Characters that z-base-32 does not have, inside and outside of its table.
    `0${text.slice(1)}`,
    `v${text.slice(1)}`,
    `${text.slice(0, 20)} ${text.slice(21)}`,
    `${text.slice(0, 20)}ü${text.slice(21)}`,
    // The last character carries one bit of the key; the other four must be zero.
    `${text.slice(0, 51)}n`,
  ]
  for (const one of wrong) {
    let error: unknown
    try {
      ClusterKey.parse(one)
    } catch (caught) {
      error = caught
    }
    t.ok(isSwarmdiskError(error, 'bad-input'), String(error))
    t.notOk(one.length > 10 && inspect(error).includes(one.slice(1, 9)), 'no piece of it shown')
  }
  t.end()
})

test('cluster key: does not print', t => {
  const key = ClusterKey.generate(random)
  const text = key.reveal()
  const hex = Buffer.from(ClusterKey.parse(text).topic).toString('hex')
  const shown = [
    String(key),
    JSON.stringify({ key }),
    inspect({ key }, { depth: 5, showHidden: true }),
    inspect(new Error('x', { cause: key })),
  ]
  for (const one of shown) {
    t.notOk(one.includes(text) || one.includes(hex), one.split('\n')[0])
    t.ok(one.includes('[cluster key]') || one.includes('Error'))
  }
  t.end()
})

test('cluster key: topic, fingerprint and proofs differ by key and by purpose', t => {
  const [a, b] = [ClusterKey.generate(random), ClusterKey.generate(random)]
  const proofs = [
    a.proof('initiator', handshake),
    a.proof('responder', handshake),
    b.proof('initiator', handshake),
    a.proof('initiator', { ...handshake, hash: random.bytes(64) }),
    a.proof('initiator', { ...handshake, initiator: random.bytes(32) }),
    a.proof('initiator', { ...handshake, responder: random.bytes(32) }),
    a.proof('initiator', {
      hash: handshake.hash,
      initiator: handshake.responder,
      responder: handshake.initiator,
    }),
    a.topic,
    b.topic,
  ].map(bytes => Buffer.from(bytes).toString('hex'))
  t.equal(new Set(proofs).size, proofs.length)
  t.deepEqual(a.proof('responder', handshake), a.proof('responder', handshake))
  t.match(a.fingerprint, /^[0-9a-f]{16}$/)
  t.notEqual(a.fingerprint, b.fingerprint)
  t.end()
})

test('cluster key: the topic is a keyed BLAKE2b, the same in every release', t => {
  const key = ClusterKey.parse('y'.repeat(52))
  const topic = new Uint8Array(32)
  sodium.crypto_generichash(topic, Buffer.from('swarmdisk 1 topic'), Buffer.alloc(32))
  t.deepEqual(Buffer.from(key.topic), Buffer.from(topic))
  t.equal(
    key.fingerprint,
    '6daf4d1107201ebc',
    'data directories keep it: a change here shuts every cluster out',
  )
  t.end()
})

test('identity: a seed makes one key pair, its id is the public key', t => {
  const seed = new Uint8Array(32).fill(1)
  const pair = keyPairFromSeed(seed)
  t.deepEqual(keyPairFromSeed(seed).publicKey, pair.publicKey)
  const id = peerIdOf(pair.publicKey)
  t.match(id, /^[0-9a-f]{64}$/)
  t.deepEqual(Buffer.from(publicKeyOf(id)), Buffer.from(pair.publicKey))
  t.end()
})
