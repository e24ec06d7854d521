// Configurations name the same few peers again and again. Their encoding starts with a dictionary
// of all peer ids, and each mention is the place in it: a replica takes three bytes instead of
// forty, and a volume of 1024 shards about 14 KiB.
import * as c from 'compact-encoding'
import type { PeerId } from '../../base/brands.js'
import { assert } from '../../base/assert.js'
import { SwarmdiskError } from '../../base/errors.js'
import { PEERS_NAMED_MAX } from '../../base/limits.js'
import { decodeFrom, list, malformed, type Codec, type CodecState } from './codec.js'
import { peerField } from './fields.js'

/** Makes the codec of a document's body from the codec of the peers that it names. */
export type BodyCodec<T> = (peer: Codec<PeerId>) => Codec<T>

const dictionary = list(peerField, PEERS_NAMED_MAX, 32)

export function encodeDocument<T>(version: number, body: BodyCodec<T>, value: T): Uint8Array {
  const ids: PeerId[] = []
  const places = new Map<PeerId, number>()
  // The first pass, which counts bytes, also collects the ids.
  const codec = body({
    preencode(state, id) {
      if (!places.has(id)) places.set(id, ids.push(id) - 1)
      c.uint.preencode(state, places.get(id)!)
    },
    encode: (state, id) => c.uint.encode(state, places.get(id)!),
    decode: () => malformed('an encoder does not decode'),
  })
  const state: CodecState = { start: 0, end: 1, buffer: null }
  codec.preencode(state, value)
  dictionary.preencode(state, ids)
  state.buffer = Buffer.allocUnsafe(state.end)
  c.uint8.encode(state, version)
  dictionary.encode(state, ids)
  codec.encode(state, value)
  assert(state.start === state.end, 'a document is as long as announced')
  return state.buffer
}

/** `bodies`: of every version that can be read. */
export function decodeDocument<T>(
  bodies: Readonly<Record<number, BodyCodec<T>>>,
  bytes: Uint8Array,
): T {
  const state: CodecState = { start: 0, end: bytes.length, buffer: bytes }
  const found = decodeFrom(c.uint8, state)
  const body = bodies[found]
  if (body === undefined) {
    const known = Object.keys(bodies).join(' and ')
    throw new SwarmdiskError(
      'protocol',
      `a configuration record of format ${found}, but this release reads format ${known}`,
    )
  }
  const ids = decodeFrom(dictionary, state)
  const codec = body({
    preencode: () => malformed('a decoder does not encode'),
    encode: () => malformed('a decoder does not encode'),
    decode: inner => ids[c.uint.decode(inner)] ?? malformed('a peer that is not in the dictionary'),
  })
  const value = decodeFrom(codec, state)
  if (state.start !== state.end) malformed('bytes are left over')
  return value
}
