// The identity of a peer: a Noise static key pair made from a seed of 32 bytes, which the data
// directory keeps. The peer id is the public key in hexadecimal digits. The same pair serves the
// swarm and the direct links, and signs the little that is said in its name by others.
import HyperDHT from 'hyperdht'
import sodium from 'sodium-universal'
import { assert } from '../base/assert.js'
import { peerId, type PeerId } from '../base/brands.js'

export const IDENTITY_SEED_BYTES = 32
export const SIGNATURE_BYTES = 64

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

/** `statement` begins with what it is about, so that it is never taken for another one. */
export function signed(statement: Uint8Array, { secretKey }: KeyPair): Uint8Array {
  const signature = new Uint8Array(SIGNATURE_BYTES)
  sodium.crypto_sign_detached(signature, statement, secretKey)
  return signature
}

export function isSignedBy(
  signer: PeerId,
  { statement, signature }: { readonly statement: Uint8Array; readonly signature: Uint8Array },
): boolean {
  if (signature.byteLength !== SIGNATURE_BYTES) return false
  return sodium.crypto_sign_verify_detached(signature, statement, publicKeyOf(signer))
}
