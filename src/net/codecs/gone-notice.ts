// The word that the process of a storage server has ended (design §4: faster than the lease is safe
// only with proof of that). Any client may bring it, so it is signed with the identity of the
// server, which only its data directory has. It names the one incarnation that is gone, and is true
// for ever: whoever keeps it and says it again later says nothing new.
//
//   "swarmdisk: this incarnation of the storage server has ended"
//   ┃ server (32 bytes) ┃ incarnation (8 bytes, little-endian) ┃
import type { Incarnation, PeerId } from '../../base/brands.js'
import { isSignedBy, publicKeyOf, peerIdOf, signed, type KeyPair } from '../identity.js'
import type { GoneNotice } from '../manager-messages.js'

const SUBJECT = Buffer.from('swarmdisk: this incarnation of the storage server has ended')

/** Only by who knows for sure that it has ended. */
export function goneNotice(keyPair: KeyPair, incarnation: Incarnation): GoneNotice {
  const server = peerIdOf(keyPair.publicKey)
  return { server, incarnation, signature: signed(statementOf(server, incarnation), keyPair) }
}

/** By the server that it names. */
export function isSigned({ server, incarnation, signature }: GoneNotice): boolean {
  return isSignedBy(server, { statement: statementOf(server, incarnation), signature })
}

function statementOf(server: PeerId, incarnation: Incarnation): Uint8Array {
  const number = Buffer.alloc(8)
  number.writeBigUInt64LE(BigInt(incarnation))
  return Buffer.concat([SUBJECT, publicKeyOf(server), number])
}
