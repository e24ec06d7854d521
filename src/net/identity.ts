// The identity of a peer: a Noise static key pair made from a seed of 32 bytes, which the data
// directory keeps. The peer id is the public key in hexadecimal digits. The same pair serves the
// swarm and the direct links.
import HyperDHT from 'hyperdht'
import { assert } from '../base/assert.js'
import { peerId, type PeerId } from '../base/brands.js'

export const IDENTITY_SEED_BYTES = 32

export interface KeyPair {
  readonly publicKey: Uint8Array
  readonly secretKey: Uint8Array
}

export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  assert(seed.byteLength === IDENTITY_SEED_BYTES, 'an identity seed has 32 bytes')
  return HyperDHT.keyPair(Buffer.from(seed))
}

export function peerIdOf(publicKey: Uint8Array): PeerId {
  return peerId(Buffer.from(publicKey).toString('hex'))
}

export function publicKeyOf(id: PeerId): Uint8Array {
  return Buffer.from(id, 'hex')
}
