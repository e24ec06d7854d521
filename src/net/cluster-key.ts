// The cluster key: 32 secret bytes that all peers of a cluster share, printed in z-base-32. From it
// come the topic under which peers find each other, the proofs by which they admit each other, and
// a fingerprint that may be stored and shown. The bytes never leave this file but by `reveal`, and
// the object prints as a placeholder, so that no log line or error can carry it.
import sodium from 'sodium-universal'
import z32 from 'z32'
import { assert } from '../base/assert.js'
import { SwarmdiskError } from '../base/errors.js'
import type { Random } from '../base/random.js'

const KEY_BYTES = 32
/** 52 characters of five bits: 256 bits and four zero bits. */
const KEY_CHARACTERS = 52
export const PROOF_BYTES = 32
const FINGERPRINT_BYTES = 8
const PUBLIC_KEY_BYTES = 32
/** What is derived from the key never collides, because each purpose has its own tag. */
const TAGS = {
  topic: 'swarmdisk 1 topic',
  fingerprint: 'swarmdisk 1 fingerprint',
  admission: 'swarmdisk 1 admission key',
  proof: 'swarmdisk 1 admission proof',
} as const
const PLACEHOLDER = '[cluster key]'

/** Which side makes a proof; part of the proof, so that a reflected one is a wrong one. */
export type Side = 'initiator' | 'responder'

/** The connection that a proof is bound to. */
export interface Handshake {
  /** Noise handshake hash: unique to the connection, the same on both of its sides. */
  readonly hash: Uint8Array
  readonly initiator: Uint8Array
  readonly responder: Uint8Array
}

export class ClusterKey {
  /** Not secret, and the key cannot be found from it. */
  readonly topic: Uint8Array
  /** Not secret: names the cluster key in data directories. 16 hexadecimal digits. */
  readonly fingerprint: string
  readonly #bytes: Uint8Array
  readonly #admission: Uint8Array

  private constructor(bytes: Uint8Array) {
    assert(bytes.byteLength === KEY_BYTES, 'a cluster key has 32 bytes')
    this.#bytes = Uint8Array.from(bytes)
    this.topic = derive(this.#bytes, TAGS.topic)
    const fingerprint = derive(this.#bytes, TAGS.fingerprint).subarray(0, FINGERPRINT_BYTES)
    this.fingerprint = Buffer.from(fingerprint).toString('hex')
    this.#admission = derive(this.#bytes, TAGS.admission)
  }

  static generate(random: Random): ClusterKey {
    return new ClusterKey(random.bytes(KEY_BYTES))
  }

  /** Reads what `reveal` prints, in either case and with white space around it. */
  static parse(text: string): ClusterKey {
    const trimmed = text.trim().toLowerCase()
    if (trimmed.length !== KEY_CHARACTERS) {
      throw new SwarmdiskError(
        'bad-input',
        `A cluster key has ${KEY_CHARACTERS} characters, this one has ${trimmed.length}; ` +
          'copy it whole, as "swarmdisk cluster create" printed it.',
      )
    }
    const bytes = decode(trimmed)
    // The last character carries four bits that must be zero: a key has exactly one spelling.
    if (bytes === null || z32.encode(bytes) !== trimmed) {
      throw new SwarmdiskError(
        'bad-input',
        'This is not a cluster key, some character is wrong; ' +
          'copy it again, as "swarmdisk cluster create" printed it.',
      )
    }
    return new ClusterKey(bytes)
  }

  /** The secret itself, for `swarmdisk cluster create` and `key` only. */
  reveal(): string {
    return z32.encode(this.#bytes)
  }

  /** What one side of a connection sends to show that it knows the key. */
  proof(side: Side, handshake: Handshake): Uint8Array {
    assert(handshake.hash.byteLength >= 32, 'a handshake hash is there')
    assert(handshake.initiator.byteLength === PUBLIC_KEY_BYTES, 'the initiator has a key')
    assert(handshake.responder.byteLength === PUBLIC_KEY_BYTES, 'the responder has a key')
    const output = new Uint8Array(PROOF_BYTES)
    sodium.crypto_generichash_batch(
      output,
      [
        Buffer.from(`${TAGS.proof} ${side} `),
        handshake.initiator,
        handshake.responder,
        handshake.hash,
      ],
      this.#admission,
    )
    return output
  }

  toString(): string {
    return PLACEHOLDER
  }

  toJSON(): string {
    return PLACEHOLDER
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return PLACEHOLDER
  }
}

function derive(key: Uint8Array, tag: string): Uint8Array {
  const output = new Uint8Array(KEY_BYTES)
  sodium.crypto_generichash(output, Buffer.from(tag), key)
  return output
}

/** Null for what is not z-base-32; the error of the package would quote a piece of the key. */
function decode(text: string): Uint8Array | null {
  try {
    return z32.decode(text)
  } catch {
    return null // The only error there is: a character outside of the alphabet.
  }
}
