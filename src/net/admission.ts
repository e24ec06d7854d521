// Admission of one connection: before anything else, both sides show that they know the cluster
// key (design §8). Each sends, as its first message, one byte of version and a proof bound to this
// connection and to its side. A proof is a keyed hash, so it tells nothing about the key, and one
// taken from another connection, or sent back to its maker, is wrong.
//
//   opening ── open, wanted: our proof out ── their proof in, right ──▶ admitted
//                                          └─ wrong, silent, gone ────▶ another outcome
//
// The caller closes what is not admitted.
import type SecretStream from '@hyperswarm/secret-stream'
import { timingSafeEqual } from 'node:crypto'
import { assert } from '../base/assert.js'
import type { PeerId } from '../base/brands.js'
import type { Clock } from '../base/clock.js'
import { ADMISSION_TIMEOUT_MS } from '../base/limits.js'
import { PROOF_BYTES, type ClusterKey, type Handshake } from './cluster-key.js'
import { peerIdOf } from './identity.js'

/** Of the admission message; a peer of another version is refused with a clear line in the log. */
export const ADMISSION_VERSION = 1

export type Admission =
  | { readonly kind: 'admitted'; readonly remote: PeerId }
  | { readonly kind: 'wrong-proof'; readonly remote: PeerId }
  | { readonly kind: 'other-version'; readonly remote: PeerId }
  /** `wanted` said no. Nothing was sent. */
  | { readonly kind: 'unwanted'; readonly remote: PeerId }
  | { readonly kind: 'silent' }
  | { readonly kind: 'lost' }

export interface AdmissionOptions {
  readonly stream: SecretStream
  readonly clusterKey: ClusterKey
  readonly clock: Clock
  /** Asked once, when the peer's identity is known and before anything is said to it. */
  readonly wanted: (remote: PeerId) => boolean
  /** Called once. For `admitted` in the same turn as the proof: the first frame may follow it. */
  readonly done: (outcome: Admission) => void
}

export function exchangeProofs(options: AdmissionOptions): void {
  const { stream } = options
  let greeted = false
  let ended = false
  const finish = (outcome: Admission): void => {
    if (ended) return
    ended = true
    timer.cancel()
    stream.off('data', onData)
    stream.off('close', onClose)
    options.done(outcome)
  }
  // From `opened` or from their first message, whichever is noticed first: ours goes out before
  // anything that an admitted link may send.
  const greet = (): void => {
    if (greeted || ended) return
    greeted = true
    const remote = remoteOf(stream)
    if (options.wanted(remote)) stream.write(ownMessage(options))
    else finish({ kind: 'unwanted', remote })
  }
  const onData = (message: Uint8Array): void => {
    greet()
    if (!ended) finish(judge(options, message))
  }
  const onClose = (): void => finish({ kind: 'lost' })
  const timer = options.clock.after(ADMISSION_TIMEOUT_MS, () => finish({ kind: 'silent' }))
  stream.on('data', onData)
  stream.on('close', onClose)
  // A stream that did not open says `close` as well.
  void stream.opened.then(open => {
    if (open && !stream.destroying) greet()
  })
}

function ownMessage({ stream, clusterKey }: AdmissionOptions): Uint8Array {
  const side = stream.isInitiator ? 'initiator' : 'responder'
  const proof = clusterKey.proof(side, handshakeOf(stream))
  return Buffer.concat([Uint8Array.of(ADMISSION_VERSION), proof])
}

function judge({ stream, clusterKey }: AdmissionOptions, message: Uint8Array): Admission {
  const remote = remoteOf(stream)
  if (message[0] !== ADMISSION_VERSION) return { kind: 'other-version', remote }
  const proof = message.subarray(1)
  const side = stream.isInitiator ? 'responder' : 'initiator'
  const right = clusterKey.proof(side, handshakeOf(stream))
  const known = proof.byteLength === PROOF_BYTES && timingSafeEqual(proof, right)
  return { kind: known ? 'admitted' : 'wrong-proof', remote }
}

function remoteOf(stream: SecretStream): PeerId {
  assert(stream.remotePublicKey !== null, 'an open stream knows its peer')
  return peerIdOf(stream.remotePublicKey)
}

function handshakeOf(stream: SecretStream): Handshake {
  const { handshakeHash, publicKey, remotePublicKey } = stream
  assert(handshakeHash !== null && remotePublicKey !== null, 'an open stream has its handshake')
  return stream.isInitiator
    ? { hash: handshakeHash, initiator: publicKey, responder: remotePublicKey }
    : { hash: handshakeHash, initiator: remotePublicKey, responder: publicKey }
}
